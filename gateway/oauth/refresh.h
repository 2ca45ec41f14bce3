/*
 * What a refresh token stands for, looked up in the store: by its id, and proven by its digest.
 */
#ifndef GATEWAY_OAUTH_REFRESH_H
#define GATEWAY_OAUTH_REFRESH_H

#include "gateway/db/db.h"
#include "gateway/request/request.h"
#include "gateway/token/opaque.h"

/* A search; in the arena of its request. */
struct refresh_search {
	struct db_query		 query;
	struct arena_cleanup	 cleanup;
	struct span		 token;
	uint8_t			 id[UUID_SIZE];
	/* what was found; texts live in the arena */
	uint8_t			 family[UUID_SIZE];
	int64_t			 client;	/* clients.id */
	struct span		 client_id;
	int64_t			 issued_s;
	int64_t			 expires_s;
	int64_t			 used_s;	/* 0: not used yet */
	bool			 revoked;	/* the family is */
	struct span		 scope;
	struct span		 audience;	/* a JSON array */
	struct span		*audiences;	/* its members */
	size_t			 n_audiences;
};

enum refresh_answer {
	REFRESH_WAIT,
	REFRESH_FOUND,
	REFRESH_NONE,		/* there is no such token */
	REFRESH_UNAVAILABLE,	/* the database can't be asked, or there is no memory */
};

/* Begins a search for a token of the request's form. NULL: no memory. */
struct refresh_search *refresh_search_new(struct request *r, struct span token);
/* Begins or goes on with it. What has the wrong form costs no query. */
enum refresh_answer refresh_search_run(struct request *r, struct refresh_search *search);

#endif
