/*
 * The verbs of `gatehouse client`, each its exit status.
 */
#ifndef GATEWAY_CLI_CLIENT_H
#define GATEWAY_CLI_CLIENT_H

#include "gateway/cli/order.h"

int client_add(const struct order *order);
int client_change(const struct order *order);
int client_rotate(const struct order *order);
int client_list(const struct order *order);
int client_show(const struct order *order);
int client_remove(const struct order *order);

#endif
