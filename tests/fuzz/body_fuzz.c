/*
 * Bodies. The first byte chooses the framing, the second where the bytes are cut. What must hold:
 * content, verdict and end are the same however the bytes arrive; what is written anew from the
 * content decodes to it; and where llhttp reads the chunks too, it finds the same content.
 */
#include <llhttp.h>

#include "gateway/base/text.h"
#include "gateway/http/body.h"
#include "tests/fuzz/fuzz.h"

struct decoded {
	enum body_result	result;
	size_t			used;
	size_t			n;
	char			content[8192];
};

static void
begin(struct body *b, uint8_t choice)
{
	static const enum framing framings[] = {
		FRAMING_CHUNKED, FRAMING_CHUNKED, FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_CLOSE,
		FRAMING_NONE,
	};

	body_init(b, framings[choice % 6], choice / 6);
}

/* Feeds one run of bytes until it is used up or the body is over. */
static void
feed(struct decoded *d, struct body *b, struct span in)
{
	struct span piece;
	size_t used;

	for (;;) {
		d->result = body_next(b, in, &used, &piece);
		fuzz_must(used <= in.n);
		d->used += used;
		in = span_skip(in, used);
		if (d->result != BODY_PIECE)
			break;
		fuzz_must(piece.n > 0 && piece.n <= used && piece.p + piece.n == in.p);
		memcpy(d->content + d->n, piece.p, piece.n);
		d->n += piece.n;
	}
	fuzz_must(d->result != BODY_MORE || in.n == 0);
	fuzz_must((d->result == BODY_END) == body_ended(b));
}

/* state 0: all at once. */
static void
decode(struct decoded *d, uint8_t choice, struct span bytes, uint32_t state)
{
	struct body b;
	bool whole = state == 0;

	*d = (struct decoded){ .result = BODY_MORE };
	begin(&b, choice);
	do {
		size_t step = whole ? bytes.n : fuzz_step(&state, bytes.n);
		struct span copy = fuzz_copy(span_make(bytes.p, step));

		feed(d, &b, copy);
		fuzz_free(copy);
		bytes = span_skip(bytes, step);
	} while (d->result == BODY_MORE && bytes.n > 0);
	fuzz_must(b.content == d->n);
	fuzz_must(b.overhead <= 6 * b.content + 16384 + 1);
}

static void
must_be_same(const struct decoded *a, const struct decoded *b)
{
	fuzz_must(a->result == b->result && a->used == b->used && a->n == b->n);
	fuzz_must(memcmp(a->content, b->content, a->n) == 0);
}

struct other {
	size_t	n;
	bool	ended;
	char	content[8192];
};

static int
on_body(llhttp_t *parser, const char *at, size_t n)
{
	struct other *o = parser->data;

	memcpy(o->content + o->n, at, n);
	o->n += n;
	return 0;
}

static int
on_end(llhttp_t *parser)
{
	((struct other *)parser->data)->ended = true;
	return HPE_PAUSED;
}

static void
must_agree_with_llhttp(const struct decoded *d, struct span bytes)
{
	static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const llhttp_settings_t settings = {
		.on_body = on_body, .on_message_complete = on_end,
	};
	static struct other o;
	llhttp_t parser;

	o.n = 0;
	o.ended = false;
	llhttp_init(&parser, HTTP_REQUEST, &settings);
	parser.data = &o;
	fuzz_must(llhttp_execute(&parser, head, sizeof(head) - 1) == HPE_OK);
	llhttp_execute(&parser, bytes.p, bytes.n);
	if (o.ended)
		fuzz_must(o.n == d->n && memcmp(o.content, d->content, d->n) == 0);
}

static void
must_survive_a_rewrite(const struct decoded *d)
{
	static char bytes[sizeof(d->content) + 64];
	static struct decoded again;
	struct text t = TEXT_OVER(bytes);

	if (d->n > 0) {
		text_hex(&t, d->n);
		text_put(&t, SPAN("\r\n"));
		text_put(&t, span_make(d->content, d->n));
		text_put(&t, SPAN("\r\n"));
	}
	text_put(&t, SPAN("0\r\n\r\n"));
	fuzz_must(!t.cut);
	decode(&again, 0, text_span(&t), 7);
	fuzz_must(again.result == BODY_END && again.used == t.n && again.n == d->n);
	fuzz_must(memcmp(again.content, d->content, d->n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct decoded whole, cut;
	struct body b;

	if (n < 2 || n > 4096)
		return 0;
	struct span bytes = span_make(data + 2, n - 2);
	decode(&whole, data[0], bytes, 0);
	decode(&cut, data[0], bytes, 1u + data[1]);
	must_be_same(&whole, &cut);
	begin(&b, data[0]);
	if (whole.result == BODY_END && b.framing == FRAMING_CHUNKED) {
		must_agree_with_llhttp(&whole, bytes);
		must_survive_a_rewrite(&whole);
	}
	return 0;
}
