/*
 * The chunked coding is read by a machine of one byte at a time for the framing and of whole runs
 * for the content. It accepts what RFC 9112 section 7.1 writes and nothing else: CR LF only, at
 * least one and at most 16 hexadecimal digits, an extension only after ";" and without control
 * characters.
 */
#include "gateway/http/body.h"

#include "gateway/base/must.h"

#define OVERHEAD_ALLOWED	16384
#define OVERHEAD_FACTOR		6	/* a chunk of one byte has five of framing */
#define SIZE_DIGITS_MAX		16

void
body_init(struct body *b, enum framing framing, uint64_t length)
{
	*b = (struct body){ .framing = framing };
	switch (framing) {
	case FRAMING_NONE:
		b->state = BODY_ENDED;
		break;
	case FRAMING_LENGTH:
		b->left = length;
		b->state = length == 0 ? BODY_ENDED : BODY_DATA;
		break;
	case FRAMING_CHUNKED:
		b->state = BODY_SIZE_FIRST;
		break;
	case FRAMING_CLOSE:
		b->left = UINT64_MAX;
		b->state = BODY_DATA;
		break;
	}
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After the CR LF of a chunk size. */
static enum body_state
begin_chunk(struct body *b)
{
	b->digits = 0;
	return b->left == 0 ? BODY_TRAILER_FIRST : BODY_DATA;
}

static enum body_state
size_digit(struct body *b, char c)
{
	int value = hex_value(c);

	if (value >= 0) {
		if (++b->digits > SIZE_DIGITS_MAX || b->left >> 60 != 0)
			return BODY_BROKEN;
		b->left = b->left << 4 | (uint64_t)value;
		return BODY_SIZE;
	}
	if (b->digits == 0)
		return BODY_BROKEN;
	return c == '\r' ? BODY_SIZE_LF : c == ';' ? BODY_EXTENSION_FIRST : BODY_BROKEN;
}

static bool
is_text(char c)
{
	return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static bool
is_token(char c)
{
	return (c >= '0' && c <= '9') || (span_lower(c) >= 'a' && span_lower(c) <= 'z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* One byte of framing. */
static enum body_state
frame_byte(struct body *b, char c)
{
	switch (b->state) {
	case BODY_SIZE_FIRST:
	case BODY_SIZE:
		return size_digit(b, c);
	case BODY_EXTENSION_FIRST:
		if (c == ' ' || c == '\t')
			return BODY_EXTENSION_FIRST;
		return is_token(c) ? BODY_EXTENSION : BODY_BROKEN;
	case BODY_EXTENSION:
		if (c == '\r')
			return BODY_SIZE_LF;
		return c == ';' ? BODY_EXTENSION_FIRST : is_text(c) ? BODY_EXTENSION : BODY_BROKEN;
	case BODY_SIZE_LF:
		return c == '\n' ? begin_chunk(b) : BODY_BROKEN;
	case BODY_DATA_CR:
		return c == '\r' ? BODY_DATA_LF : BODY_BROKEN;
	case BODY_DATA_LF:
		return c == '\n' ? BODY_SIZE_FIRST : BODY_BROKEN;
	case BODY_TRAILER_FIRST:
		return c == '\r' ? BODY_LAST_LF : is_token(c) ? BODY_TRAILER_NAME : BODY_BROKEN;
	case BODY_TRAILER_NAME:
		return c == ':' ? BODY_TRAILER : is_token(c) ? BODY_TRAILER_NAME : BODY_BROKEN;
	case BODY_TRAILER:
		return c == '\r' ? BODY_TRAILER_LF : is_text(c) ? BODY_TRAILER : BODY_BROKEN;
	case BODY_TRAILER_LF:
		return c == '\n' ? BODY_TRAILER_FIRST : BODY_BROKEN;
	case BODY_LAST_LF:
		return c == '\n' ? BODY_ENDED : BODY_BROKEN;
	case BODY_DATA:
	case BODY_ENDED:
	case BODY_BROKEN:
		break;
	}
	return BODY_BROKEN;
}

/* Hands out content up to the end of its run. */
static void
take_data(struct body *b, struct span in, struct span *piece)
{
	piece->p = in.p;
	piece->n = in.n < b->left ? in.n : (size_t)b->left;
	b->content += piece->n;
	if (b->framing == FRAMING_CLOSE)
		return;
	b->left -= piece->n;
	if (b->left == 0)
		b->state = b->framing == FRAMING_CHUNKED ? BODY_DATA_CR : BODY_ENDED;
}

enum body_result
body_next(struct body *b, struct span in, size_t *used, struct span *piece)
{
	size_t at = 0;

	*used = 0;
	while (b->state != BODY_ENDED && b->state != BODY_BROKEN) {
		if (at == in.n) {
			*used = at;
			return BODY_MORE;
		}
		if (b->state == BODY_DATA) {
			take_data(b, span_skip(in, at), piece);
			*used = at + piece->n;
			return BODY_PIECE;
		}
		b->state = frame_byte(b, in.p[at++]);
		if (++b->overhead > OVERHEAD_FACTOR * b->content + OVERHEAD_ALLOWED)
			b->state = BODY_BROKEN;
	}
	*used = at;
	return b->state == BODY_ENDED ? BODY_END : BODY_BAD;
}

uint64_t
body_ahead(const struct body *b)
{
	return b->framing == FRAMING_LENGTH && b->state == BODY_DATA ? b->left : 0;
}

void
body_skip(struct body *b, uint64_t n)
{
	must(n <= body_ahead(b));
	b->content += n;
	b->left -= n;
	if (b->left == 0)
		b->state = BODY_ENDED;
}

bool
body_close(struct body *b)
{
	if (b->state == BODY_DATA && b->framing == FRAMING_CLOSE)
		b->state = BODY_ENDED;
	return b->state == BODY_ENDED;
}

bool
body_ended(const struct body *b)
{
	return b->state == BODY_ENDED;
}
