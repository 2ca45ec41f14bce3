/*
 * What a token is for, as its claims or an issuer's answer about it tell (RFC 8725 section 3.12).
 *
 * Issuers name the kind of a token in ways of their own, and may say "active" of any kind they are
 * asked about. What is plainly an ID token, a refresh token or a logout token opens nothing here.
 */
#ifndef GATEWAY_TOKEN_PURPOSE_H
#define GATEWAY_TOKEN_PURPOSE_H

#include <stdbool.h>

#include "gateway/token/doc.h"

/* True for tokens of another purpose than access, whatever their header says. */
bool purpose_is_other(const struct doc_value *claims);

#endif
