/*
 * A request: what a client asks, from its head to the last byte of its answer.
 *
 * Three things with small interfaces between them: a connection carries requests (struct carrier;
 * HTTP/1 carries one at a time, in client.c), a request runs through the steps of a flow
 * (step.h), and an exchange with an upstream (upstream/call.h) belongs to one request. A request
 * knows nothing of sockets, so that connections which carry many at once or are encrypted need no
 * change here.
 *
 * All memory of a request hangs on its arena; clean-ups are registered there and run at its end,
 * however it ends.
 */
#ifndef GATEWAY_REQUEST_REQUEST_H
#define GATEWAY_REQUEST_REQUEST_H

#include "gateway/base/arena.h"
#include "gateway/base/text.h"
#include "gateway/base/want.h"
#include "gateway/http/head.h"
#include "gateway/http/target.h"
#include "gateway/request/gate.h"
#include "gateway/request/route.h"
#include "gateway/token/recall.h"
#include "upstream/call.h"

struct asking;
struct book_search;
struct carrier;
struct flow;
struct lookup;
struct oauth;
struct request;

/*
 * The head of an answer; the carrier adds the status line, framing and what concerns the
 * connection.
 */
struct answer {
	unsigned	status;
	struct span	reason;		/* empty: the usual one */
	struct span	fields;		/* complete lines, "Name: value\r\n" each */
	/* what the source of the body knows; the carrier may have to choose another */
	enum framing	framing;
	uint64_t	length;		/* with FRAMING_LENGTH */
	/* an answer without body that tells the length of one (HEAD, 304) */
	bool		has_length;
};

/* What a request asks of the connection that carries it. */
struct carrier {
	/*
	 * Next piece of the request's body: DONE (empty: its end), WAIT, or FAIL. Valid until the
	 * next call.
	 */
	enum run	(*read_body)(struct request *, struct span *piece);
	/*
	 * What has come of the body, without taking it, as much as `t` holds. DONE: t is full, or
	 * holds all there is; WAIT: more is to come; FAIL as with read_body.
	 */
	enum run	(*peek_body)(struct request *, struct text *t);
	/* Says 100 Continue, if the client waits for it and nothing was sent yet. */
	void		(*ask_body)(struct request *);
	/* Queues an interim answer (1xx) or the head of the answer. */
	void		(*send_head)(struct request *, const struct answer *);
	/*
	 * Queues a piece of the answer's body; `last` ends it. The bytes must stay until flush
	 * says DONE.
	 */
	void		(*send_body)(struct request *, struct span piece, bool last);
	/* True if the answer's framing lets its body pass through a conduit. */
	bool		(*takes_conduit)(const struct request *);
	/* As send_body, for all that the conduit holds; never the last. */
	void		(*send_conduit)(struct request *, struct conduit *);
	/*
	 * Takes back the head of an answer, and what follows it; false when some of it has been
	 * sent.
	 */
	bool		(*take_back)(struct request *);
	/* Sends what is queued. FAIL: the client is gone. */
	enum run	(*flush)(struct request *);
	/* After read_body failed: true if the client was too slow, and has done nothing worse. */
	bool		(*body_is_late)(const struct request *);
	/* True if the client is known to be gone for good. */
	bool		(*is_gone)(const struct request *);
};

enum request_phase {
	REQUEST_STEPS,		/* the flow runs */
	REQUEST_ANSWERING,	/* an answer of our own is on its way */
	REQUEST_ENDED,
};

/* What is told of a request when it is over. */
struct tally {
	uint64_t	start_us;		/* first byte of the head */
	uint64_t	upstream_start_us;	/* 0: no upstream was asked */
	uint64_t	upstream_us;		/* until the head of its answer */
	uint64_t	bytes_in;		/* content */
	uint64_t	bytes_out;
	unsigned	status;			/* 0: no answer was begun */
	const char	*server;		/* URL, NULL: none */
	/* what went wrong with the upstream, NULL: nothing */
	const char	*failure;
};

#define REQUEST_ID_LEN	32

/* A consumer as the store has it; both fit for a header. */
struct consumer {
	struct span	name;
	struct span	custom_id;	/* empty: none */
};

struct request {
	struct gate		*gate;
	const struct carrier	*carrier;
	void			*connection;	/* the carrier's own */
	struct task		*task;		/* runs the request on */
	struct arena		 arena;
	enum request_phase	 phase;
	const struct flow	*flow;
	unsigned		 step;

	struct head		 head;
	struct target		 target;
	struct span		 peer;		/* address of the client, as text */
	struct span		 client;	/* the same, or what a trusted proxy says */
	struct span		 scheme;	/* "http" */
	bool			 peer_trusted;	/* in trusted_proxies */
	char			 id[REQUEST_ID_LEN];
	const struct endpoint	*endpoint;	/* NULL: the request is for a route, or nowhere */
	const struct route	*route;		/* NULL: for an endpoint, or nowhere */
	struct span		 route_prefix;	/* of the path: what the route matched */
	struct span		 token;		/* bearer token; empty: none */
	bool			 authenticated;	/* facts hold and the route's policy accepts them */
	bool			 judged;	/* the judgement says something */
	struct judgement	 judgement;
	struct book_search	*consumer_search;	/* of access/consumer.c; NULL: none */
	const struct consumer	*known;		/* the token's, where it was looked up */
	struct lookup		*lookup;	/* of access/opaque.c; NULL: none */
	struct asking		*asking;	/* of access/introspect.c; NULL: none */
	uint64_t		 keys_deadline_ms;	/* waiting for fresh keys; 0: not */
	uint32_t		 keys_attempts;		/* of the keeper, when the wait began */
	struct span		 limit_fields;	/* RateLimit header lines for the answer */

	struct field		*answer_fields;	/* room for those of an upstream's answer */
	struct answer		 answer;
	struct span		 answer_body;	/* of our own answers */
	bool			 answer_begun;
	bool			 body_read;	/* the client's body has been read to its end */
	bool			 must_close;	/* no further request on this connection */
	/* the answer is broken off: it must not look complete */
	bool			 must_reset;

	struct exchange		*exchange;	/* of access/forward.c; NULL: none */
	struct oauth		*oauth;		/* of the token service's endpoints; NULL: none */
	struct span		 consumer;	/* whose client asks there */
	/* the verdict to log and count, where it is not on a token; NULL: none */
	const char		*outcome;
	uint16_t		 outcome_label;
	uint64_t		 deadline_ms;	/* when it wants to run again by itself; 0: never */
	struct tally		 tally;
};

/*
 * Makes the id of a request: unique over all workers and restarts, and it does not tell how many
 * there are.
 */
void request_make_id(struct gate *g, char id[REQUEST_ID_LEN]);
/* A fresh request of a connection; the arena is ready. NULL when there is no memory. */
struct request *request_new(struct gate *gate, const struct carrier *carrier, void *connection,
    struct task *task);
/* Runs it on: WAIT, DONE (answered, or broken off: must_reset), FAIL (the client is gone). */
enum run request_run(struct request *r);
/* Writes the log, counts, runs the clean-ups and frees it; the pointer becomes NULL. */
void request_free(struct request **request);

/*
 * Puts another token in the place of the one that was judged: the next steps judge it from the
 * start. An empty one: there is none.
 */
void request_judge_next(struct request *r, struct span token);

/* Who calls with the token, whose facts must be there: the name that limits and logs go by. */
struct span request_consumer(const struct request *r);
/* Sends a small answer of our own. `fields` and `body` must live in the arena or be static. */
void request_answer(struct request *r, unsigned status, struct span fields, struct span body);

#endif
