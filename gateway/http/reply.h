/*
 * A reply is the whole answer to one request of ours, kept in memory: status, location, the body.
 *
 * It is for small answers from peers we ask ourselves, not for what is proxied. Peers are not
 * trusted: head and body have a maximum, and a head that is malformed, or framed in two ways,
 * makes the reply bad, with a reason. Interim answers (1xx) are skipped, a few of them; 101 is
 * bad. A body cut short is bad, and so is a compressed one, as we never ask for that.
 */
#ifndef GATEWAY_HTTP_REPLY_H
#define GATEWAY_HTTP_REPLY_H

#include <stddef.h>

#include "gateway/base/span.h"
#include "gateway/http/body.h"
#include "gateway/http/head.h"

#define REPLY_HEAD_MAX		(16 * 1024)
#define REPLY_FIELDS_MAX	100
#define REPLY_INTERIM_MAX	8

enum reply_state {
	REPLY_HEAD,		/* the head is not whole yet */
	REPLY_BODY,
	REPLY_WHOLE,
	REPLY_BAD,
};

struct reply {
	enum reply_state	 state;
	const char		*reason;	/* of REPLY_BAD, a static sentence */
	unsigned		 status;
	bool			 reusable;	/* of REPLY_WHOLE: another may follow it */
	uint64_t		 idle_s;	/* Keep-Alive: timeout=; 0: none given */
	struct span		 location;	/* into head; empty if there is none */
	char			*body;		/* body_n bytes, NULL if empty */
	size_t			 body_n;
	size_t			 body_max;	/* as given */
	/* the rest is the parser's own */
	size_t			 body_size;
	unsigned		 interim;
	struct body		 framing;
	struct head_scan	 scan;
	size_t			 head_n;
	char			 head[REPLY_HEAD_MAX];
};

/* Prepares for one reply with a body of at most body_max bytes. */
void reply_init(struct reply *r, size_t body_max);
/*
 * Takes bytes from the connection. What comes after the end of the reply is left aside, and then
 * the connection can't be used again.
 */
enum reply_state reply_feed(struct reply *r, struct span bytes);
/* The peer has closed its side properly. */
enum reply_state reply_eof(struct reply *r);
/* Frees the body. */
void reply_fini(struct reply *r);

#endif
