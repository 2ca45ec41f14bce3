/*
 * Heads on their way through are always written anew, never copied.
 *
 * What goes to the backend: the normal form of the path, the server's or the client's Host,
 * fields that may pass, what the gateway says of the client (X-Forwarded-*, Forwarded,
 * X-Request-ID) and of the consumer (identity headers), and one framing. What comes back: fields
 * that may pass.
 */
#ifndef GATEWAY_ACCESS_REWRITE_H
#define GATEWAY_ACCESS_REWRITE_H

#include "gateway/request/request.h"
#include "upstream/conn.h"

/* The head of the request for this server, in the arena; empty when there is no memory. */
struct span rewrite_request(struct request *r, const struct server *server);
/*
 * The fields of the answer that may pass, as lines in the arena; {NULL, 0} when there is no
 * memory.
 */
struct span rewrite_answer_fields(struct request *r, const struct head *h);

#endif
