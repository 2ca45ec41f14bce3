/*
 * How HTTP/1 carries a request: the connection's side of struct carrier (request.h).
 *
 * Bodies are read and written with their framing taken off and put on anew; answers to HTTP/1.0
 * clients are never chunked. Whether the connection stays open is decided, and said, with the
 * head of the answer.
 */
#ifndef GATEWAY_REQUEST_CARRIER_H
#define GATEWAY_REQUEST_CARRIER_H

#include <netinet/in.h>

#include "gateway/http/inbox.h"
#include "gateway/http/out.h"
#include "gateway/request/request.h"
#include "gateway/request/trusted.h"

enum client_state {
	CLIENT_READING,
	CLIENT_SERVING,
	CLIENT_LINGERING,
};

struct client {
	struct task		  task;
	struct wire		  wire;
	struct gate		 *gate;
	struct client		 *next, **link;		/* among all connections of the gate */
	enum client_state	  state;
	unsigned		  served;		/* requests so far */
	struct inbox		  in;
	struct head_scan	  scan;
	struct request		 *request;		/* while SERVING */
	struct body		  body;			/* of the request */
	struct out		  out;			/* of the answer */
	enum framing		  framing;		/* of the answer */
	/* nothing was queued before the answer's head */
	bool			  alone;
	uint64_t		  sent_before;		/* bytes sent before it */
	bool			  asked;		/* 100 Continue was sent, or need not be */
	bool			  trusted;		/* a proxy of trusted_proxies */
	uint8_t			  peer_len;
	uint64_t		  discarded;		/* of the body */
	uint64_t		  quiet_since_ms;
	uint64_t		  head_since_ms;
	/* the body has been waited for since then; 0: nobody waits */
	uint64_t		  read_since_ms;
	size_t			  trickled;		/* bytes of it since its last progress */
	uint64_t		  write_since_ms;	/* last progress with the answer */
	uint64_t		  linger_until_ms;
	char			  peer[INET6_ADDRSTRLEN];
	struct grave		  grave;
};

extern const struct carrier http1_carrier;

/*
 * Begins the connection's request: n bytes of the inbox are its head (0: malformed, the
 * connection must close).
 */
void carrier_begin(struct client *c, size_t n);
/* The request runs again at this time, if nothing happens before. */
void carrier_deadline(struct request *r, uint64_t deadline_ms);

#endif
