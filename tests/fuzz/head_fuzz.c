/*
 * Heads. The first byte chooses what is parsed (a request, or an answer to one of the methods), the
 * second where it is cut. What must hold: however a head arrives, the verdict is the same; one that
 * is accepted can be written anew, and is read as the same head then.
 */
#include "gateway/base/text.h"
#include "gateway/http/head.h"
#include "tests/fuzz/fuzz.h"

#define MAX_FIELDS	20

static const struct head_limits limits = { 2048, 512, MAX_FIELDS };

struct seen {
	enum head_fault	fault;
	size_t		end;
};

/* Scans what comes in pieces, each look with memory that ends where the bytes do. */
static struct seen
scan_in_pieces(struct span bytes, uint32_t state)
{
	struct head_scan scan = { 0 };
	struct seen seen = { HEAD_FINE, 0 };

	for (size_t n = 0; n < bytes.n && seen.fault == HEAD_FINE && seen.end == 0; ) {
		n += fuzz_step(&state, bytes.n - n);
		struct span copy = fuzz_copy(span_make(bytes.p, n));
		seen.fault = head_scan(&scan, copy, &limits, &seen.end);
		fuzz_free(copy);
	}
	return seen;
}

static struct seen
scan_bytes(struct span bytes)
{
	struct head_scan scan = { 0 };
	struct seen seen = { HEAD_FINE, 0 };

	for (size_t n = 1; n <= bytes.n && seen.fault == HEAD_FINE && seen.end == 0; n++)
		seen.fault = head_scan(&scan, span_make(bytes.p, n), &limits, &seen.end);
	return seen;
}

static enum head_fault
parse(struct head *h, struct span bytes, int kind, struct field *fields)
{
	if (kind == METHOD_COUNT)
		return head_parse_request(h, bytes, &limits, fields);
	return head_parse_response(h, bytes, &limits, fields, (enum method)kind);
}

static void
put_head(struct text *t, const struct head *h, int kind)
{
	if (kind == METHOD_COUNT) {
		text_put(t, method_name(h->method));
		text_char(t, ' ');
		text_put(t, h->target.n > 0 && h->target.p[0] != '?' ? h->target : SPAN("/"));
		text_fmt(t, " HTTP/1.%u\r\n", h->minor);
	} else {
		text_fmt(t, "HTTP/1.%u %u ", h->minor, h->status);
		text_put(t, h->reason);
		text_put(t, SPAN("\r\n"));
	}
	for (unsigned i = 0; i < h->n_fields; i++) {
		text_put(t, h->fields[i].name);
		text_put(t, SPAN(":"));
		text_put(t, h->fields[i].value);
		text_put(t, SPAN("\r\n"));
	}
	text_put(t, SPAN("\r\n"));
}

static void
must_be_clean(const struct head *h, int kind)
{
	bool request = kind == METHOD_COUNT;

	for (unsigned i = 0; i < h->n_fields; i++) {
		struct span name = h->fields[i].name, value = h->fields[i].value;

		fuzz_must(name.n > 0 && memchr(name.p, ':', name.n) == NULL);
		for (size_t k = 0; k < name.n; k++)
			fuzz_must(name.p[k] > 0x20 && name.p[k] < 0x7f);
		for (size_t k = 0; k < value.n; k++)
			fuzz_must(value.p[k] == '\t' || ((unsigned char)value.p[k] >= 0x20 &&
			    value.p[k] != 0x7f));
	}
	fuzz_must(h->framing != FRAMING_CHUNKED || (h->minor == 1 &&
	    head_count(h, FIELD_CONTENT_LENGTH) == 0 &&
	    head_count(h, FIELD_TRANSFER_ENCODING) == 1));
	fuzz_must(h->framing != FRAMING_LENGTH || (head_count(h, FIELD_CONTENT_LENGTH) == 1 &&
	    head_count(h, FIELD_TRANSFER_ENCODING) == 0));
	fuzz_must(!request || (h->framing != FRAMING_CLOSE && head_count(h, FIELD_HOST) <= 1));
	fuzz_must(!request || h->minor == 0 || h->host.n > 0);
	fuzz_must(request || (h->status >= 100 && h->status <= 599));
}

/* The head as it is read again after it was written anew. */
static void
must_be_same_again(const struct head *h, int kind)
{
	static char bytes[4096];
	struct field fields[MAX_FIELDS];
	struct head_scan scan = { 0 };
	struct text t = TEXT_OVER(bytes);
	struct head again;
	size_t end;

	put_head(&t, h, kind);
	fuzz_must(!t.cut && head_scan(&scan, text_span(&t), &(struct head_limits){ 4096, 512, 20 },
	    &end) == HEAD_FINE && end == t.n);
	fuzz_must(parse(&again, text_span(&t), kind, fields) == HEAD_FINE);
	fuzz_must(again.n_fields == h->n_fields && again.framing == h->framing &&
	    again.length == h->length && again.keep_alive == h->keep_alive &&
	    again.status == h->status && again.method == h->method);
	fuzz_must(again.expects_100 == h->expects_100 && again.expects_other == h->expects_other);
	for (unsigned i = 0; i < h->n_fields; i++)
		fuzz_must(span_eq(again.fields[i].name, h->fields[i].name) &&
		    span_eq(again.fields[i].value, h->fields[i].value));
	if (kind == METHOD_COUNT && head_find(h, FIELD_HOST) != NULL)
		fuzz_must(span_eq_nocase(again.host, h->host));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct field fields[MAX_FIELDS];
	struct head h;

	if (n < 2 || n > 4096)
		return 0;
	int kind = data[0] % (METHOD_COUNT + 1);
	struct span bytes = span_make(data + 2, n - 2);
	struct head_scan scan = { 0 };
	struct seen whole = { HEAD_FINE, 0 }, cut = scan_in_pieces(bytes, data[1]),
	    single = scan_bytes(bytes);
	whole.fault = head_scan(&scan, bytes, &limits, &whole.end);
	fuzz_must(whole.fault == cut.fault && whole.end == cut.end);
	fuzz_must(whole.fault == single.fault && whole.end == single.end);
	if (whole.end == 0)
		return 0;
	struct span copy = fuzz_copy(span_make(bytes.p, whole.end));
	if (parse(&h, copy, kind, fields) == HEAD_FINE) {
		must_be_clean(&h, kind);
		must_be_same_again(&h, kind);
	}
	fuzz_free(copy);
	return 0;
}
