/*
 * The verbs of `gatehouse token`, each its exit status.
 */
#ifndef GATEWAY_CLI_TOKEN_H
#define GATEWAY_CLI_TOKEN_H

#include "gateway/cli/order.h"

int token_revoke(const struct order *order);
int token_list(const struct order *order);
int token_inspect(const struct order *order);

#endif
