/*
 * The token service of one worker: what all requests at its endpoints share.
 */
#ifndef GATEWAY_OAUTH_SERVICE_H
#define GATEWAY_OAUTH_SERVICE_H

#include "gateway/conf/config.h"
#include "gateway/request/gate.h"
#include "gateway/token/chance.h"
#include "gateway/token/doc.h"
#include "gateway/token/facts.h"
#include "gateway/token/seal.h"

struct alg_tools;
struct batch;
struct book;

/* No part of facts has more. */
#define SERVICE_VALUES	DOC_VALUES(FACTS_MAX)

struct service {
	const struct config_token_service *config;
	struct span		 issuer;
	struct span		 token_endpoint;	/* its URL */
	struct book		*book;		/* of clients */
	struct alg_tools	*tools;
	struct batch		*tokens;	/* rows of issued tokens */
	struct batch		*exchanged;	/* of those that came of others' */
	struct seal_key		 refresh_key;	/* refresh tokens are derived with it */
	struct seal_key		 opaque_key;	/* and opaque ones tagged with it; the gate's too */
	struct doc_value	*values;	/* SERVICE_VALUES of them, for one reading */
	struct chance		 chance;	/* ids and secrets of new tokens */
	uint64_t		 patience_ms;	/* for work that another request does */
};

/*
 * Opens the token service of a worker whose gate has a database and a signer. NULL: the log tells
 * why.
 */
struct service *service_open(struct gate *gate);
/* Closes it when no request is left; NULL is fine; the pointer becomes NULL. */
void service_close(struct service **service);

#endif
