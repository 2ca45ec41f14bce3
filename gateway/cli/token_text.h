/*
 * A token that an operator has at hand: read from the command line, a file or standard input, and
 * taken apart without asking anybody. Signatures are not checked: what is found out here is what
 * the token says of itself.
 */
#ifndef GATEWAY_CLI_TOKEN_TEXT_H
#define GATEWAY_CLI_TOKEN_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/cli/order.h"
#include "gateway/cli/store.h"
#include "gateway/token/identity.h"
#include "gateway/token/uuid.h"

#define TOKEN_TEXT_MAX	65536

enum token_text_kind {
	TOKEN_TEXT_JWT,
	TOKEN_TEXT_ACCESS,		/* opaque */
	TOKEN_TEXT_REFRESH,
};

struct token_text {
	char			*memory;
	struct span		 text;
	enum token_text_kind	 kind;
	/* opaque ones: id and digest as the store's parameters */
	char			 id[UUID_TEXT + 1];
	char			 digest[STORE_HEX(32)];
	/* JWTs */
	json_t			*header;
	json_t			*claims;
	const char		*iss;		/* "" if it has none */
	const char		*jti;		/* or what stands in for it */
	char			 stand_in[IDENTITY_STAND_IN + 1];
	/* 0: none, or none that a calendar knows */
	int64_t			 exp_s;
	int64_t			 iat_s;
};

/*
 * Reads and decodes the token given as `word` ("-": standard input) or in a file; exactly one of
 * them is to be given. CLI_DONE, or another status after a complaint; then token_text_fini() too.
 */
int token_text_read(struct token_text *t, const struct order *order, const char *word,
    const char *file);
void token_text_fini(struct token_text *t);
/* A time in seconds as a token tells it; 0 for what is none that a calendar knows. */
int64_t token_text_seconds(const json_t *value);

#endif
