/*
 * A fetch is one request of our own to some URL, and its whole answer: keys, discovery, health
 * checks, what a provider says of a token.
 *
 * It is pulled like every asynchronous operation: fetch_run() does what can be done now. Nothing
 * blocks, names are resolved beside, each address of the host is tried, and one deadline covers
 * it all. The answer is kept in memory up to a maximum. https verifies certificate and host name;
 * there is no way to turn that off. A redirect is followed only to the same scheme, host and
 * port, so nobody can send us elsewhere; that of a POST is an answer like any other.
 *
 * With a pool (fetch_pool.h) connections are kept and used again; without one each fetch has a
 * connection of its own. A task of a loop runs a fetch as fetch_task.h tells.
 *
 * The process must ignore SIGPIPE.
 */
#ifndef GATEWAY_HTTP_FETCH_H
#define GATEWAY_HTTP_FETCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gateway/base/span.h"
#include "gateway/base/want.h"

#define FETCH_REDIRECTS_MAX	3

struct fetch;
struct fetch_pool;

/* What to fetch; nothing of it need outlive fetch_begin(). */
struct fetch_request {
	const char	*url;
	const char	*accept;	/* media types; NULL: any */
	const char	*ca_file;	/* trust anchors; NULL or "": the system's */
	const char	*authorization;	/* value of Authorization; NULL: none */
	struct span	 form;		/* not empty: POST this, urlencoded */
	struct fetch_pool *pool;	/* outlives the fetch; NULL: none */
	size_t		 max_bytes;	/* of the answer's body */
	uint64_t	 timeout_ms;	/* for all of it */
	unsigned	 redirects;	/* followed at most; 0: a 3xx is an answer like any other */
	/* where to connect, without a pool; NULL: resolve the host */
	const struct sockaddr *address;
	socklen_t	 address_len;
};

/* How far a fetch that failed had come. */
enum fetch_failure {
	FETCH_FINE,
	FETCH_UNUSABLE,		/* the URL or the trust anchors: no connection was tried */
	FETCH_NO_ADDRESS,
	FETCH_NOT_CONNECTED,
	FETCH_NOT_TRUSTED,	/* TLS was not agreed upon, or the certificate refused */
	FETCH_TIMED_OUT,
	FETCH_BROKEN,		/* the connection, before the answer was whole */
	FETCH_BAD_ANSWER,	/* malformed, too large, redirecting where it must not */
};

struct fetch_result {
	unsigned	 status;	/* 200 to 599, of a whole answer */
	struct span	 body;
	const char	*reason;	/* after RUN_FAIL: a sentence */
	enum fetch_failure failure;	/* the same for programs */
};

/*
 * Begins. NULL (errno set): ENOMEM, or EBUSY when as many fetches of the pool are under way to this
 * server as may be. A URL that can't be used fails at the first run.
 */
struct fetch *fetch_begin(const struct fetch_request *request, uint64_t now_ms);
/*
 * Goes on. WAIT: run again when fetch_want() has come. DONE: a whole answer, of whatever status.
 * FAIL: there is none, and result's reason says why. Once it is done, take its descriptor out of
 * the loop before fetch_end().
 */
enum run fetch_run(struct fetch *f, uint64_t now_ms);
/* What a fetch that said WAIT waits for. Its descriptor changes at most once per run. */
const struct want *fetch_want(const struct fetch *f);
/* The outcome after DONE or FAIL; lives until fetch_end(). */
const struct fetch_result *fetch_result(const struct fetch *f);
/*
 * Ends it in any state and wipes what it sent; NULL is fine; the pointer becomes NULL. This is when
 * a pool gets the connection back.
 */
void fetch_end(struct fetch **f);

#endif
