/*
 * What somebody wants a client to be: the options of `gatehouse client add` and `client change`,
 * checked and brought into the form that the store keeps.
 */
#ifndef GATEWAY_CLI_CLIENT_WISH_H
#define GATEWAY_CLI_CLIENT_WISH_H

#include <stdbool.h>

#include "gateway/cli/order.h"

#define CLIENT_WISH_OPTIONS	13

/* Texts as the command line has them, then (wish_check) as parameters; NULL: not given. */
struct client_wish {
	const char	*grants;	/* words with one space between them, as all lists */
	const char	*scopes;
	const char	*audiences;
	const char	*format;
	const char	*lifetime;
	const char	*rate;
	const char	*jwks_file;
	const char	*introspection;
	const char	*revocation;
	const char	*exchange_from;
	const char	*impersonation;
	const char	*delegation;
	const char	*recording;
	/* made by wish_check */
	char		*jwks;		/* compact JSON */
	char		 rate_count[24];
	char		 rate_period_us[24];
	char		*lists[4];
};

/* The usage of these options. */
#define CLIENT_WISH_USAGE \
	"[--grants \"client_credentials refresh_token token-exchange\"] [--scopes \"a b\"] " \
	"[--audiences \"x y\"] [--format jwt|opaque] [--lifetime SECONDS] [--token-rate N/s] " \
	"[--jwks FILE] [--introspection own|any] [--revocation own|any] " \
	"[--exchange-from \"NAME ISSUER/NAME ISSUER/*\"] [--impersonation allowed|denied] " \
	"[--delegation allowed|self|denied] [--recording full|none]"

/* The sentences that explain those of token exchange. */
#define CLIENT_WISH_EXCHANGE \
	"--exchange-from: whose tokens it may exchange, by client or consumer; ISSUER is the " \
	"name of\n      an issuer's section, or self. --impersonation: without an actor token. " \
	"--delegation: with\n      one; self: one of its own. --recording none: no row for " \
	"JWTs that it exchanges."

/* Writes the CLIENT_WISH_OPTIONS rows of these options. */
void wish_arguments(struct client_wish *wish, struct argument *rows);
/* Checks and converts them. CLI_DONE, or another status after a complaint; then wish_fini() too. */
int wish_check(struct client_wish *wish, const struct order *order);
void wish_fini(struct client_wish *wish);
/* True for an id that a client may have. */
bool wish_is_id(const char *id);

#endif
