/*
 * The framing of a message body, taken off strictly (RFC 9112 sections 6 and 7).
 *
 * body_next() is fed with the bytes that have come and hands out pieces of the content that point
 * into them. Chunk extensions and trailers are read past, counted and dropped. Chunked framing
 * may cost at most six times the content and 16 KiB (chunks of one byte are legal, and cost five);
 * what is malformed is BODY_BAD, once and for all.
 */
#ifndef GATEWAY_HTTP_BODY_H
#define GATEWAY_HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

enum framing {
	FRAMING_NONE,		/* no body */
	FRAMING_LENGTH,
	FRAMING_CHUNKED,
	FRAMING_CLOSE,		/* a response that ends with the connection */
};

enum body_state {
	BODY_DATA,		/* content (all framings), `left` bytes of it in this run */
	BODY_SIZE_FIRST,	/* before the first digit of a chunk size */
	BODY_SIZE,
	BODY_EXTENSION_FIRST,	/* after a semicolon: a name must follow */
	BODY_EXTENSION,
	BODY_SIZE_LF,
	BODY_DATA_CR,
	BODY_DATA_LF,
	BODY_TRAILER_FIRST,	/* at the start of a line of the trailer */
	BODY_TRAILER_NAME,
	BODY_TRAILER,
	BODY_TRAILER_LF,
	BODY_LAST_LF,
	BODY_ENDED,
	BODY_BROKEN,
};

struct body {
	enum framing	framing;
	enum body_state	state;
	uint64_t	left;		/* of the content or the chunk */
	uint64_t	content;	/* bytes of content handed out */
	uint64_t	overhead;	/* bytes of framing read */
	unsigned	digits;
};

enum body_result {
	BODY_PIECE,		/* *piece holds content */
	BODY_MORE,		/* all bytes are used; more are needed */
	BODY_END,		/* the body is complete */
	BODY_BAD,
};

void body_init(struct body *b, enum framing framing, uint64_t length);
/* Takes the next piece from `in`; *used bytes of it are done with (the piece's included). */
enum body_result body_next(struct body *b, struct span in, size_t *used, struct span *piece);
/*
 * How many bytes of content come next for sure: with a length, what is left of it; else 0.
 * body_skip() says that n of them passed by another way.
 */
uint64_t body_ahead(const struct body *b);
void body_skip(struct body *b, uint64_t n);
/* The connection has ended: true if that is a proper end of the body. */
bool body_close(struct body *b);
/* True once all of it has been handed out. */
bool body_ended(const struct body *b);

#endif
