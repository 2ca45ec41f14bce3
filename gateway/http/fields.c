#include "gateway/http/fields.h"

#include <llhttp.h>

#if LLHTTP_VERSION_MAJOR < 9 && LLHTTP_STRICT_MODE != 1
#error "llhttp before 9 must be built with -DLLHTTP_STRICT_MODE=1"
#endif

/* llhttp's callbacks collect the fields here. */
struct gathering {
	llhttp_t		 parser;
	struct field		*fields;
	unsigned		 n, max;
	enum head_fault		 fault;
};

static int
gather_name(llhttp_t *parser, const char *at, size_t n)
{
	struct gathering *g = parser->data;

	if (g->n == g->max) {
		g->fault = HEAD_TOO_MANY;
		return HPE_USER;
	}
	g->fields[g->n] = (struct field){ .name = span_make(at, n) };
	return 0;
}

static int
gather_name_end(llhttp_t *parser)
{
	struct gathering *g = parser->data;

	/* an empty name makes no span call, so the count would be behind: refuse it here */
	if (g->n == g->max || g->fields[g->n].name.n == 0) {
		g->fault = HEAD_FIELD_NAME;
		return HPE_USER;
	}
	g->n++;
	if (g->n < g->max)
		g->fields[g->n].name.n = 0;
	return 0;
}

static int
gather_value(llhttp_t *parser, const char *at, size_t n)
{
	struct gathering *g = parser->data;

	if (g->n == 0 || g->fields[g->n - 1].value.n != 0) {
		g->fault = HEAD_SYNTAX;
		return HPE_USER;
	}
	g->fields[g->n - 1].value = span_make(at, n);
	return 0;
}

static int
gather_end(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

static const llhttp_settings_t gathering_settings = {
	.on_header_field = gather_name,
	.on_header_field_complete = gather_name_end,
	.on_header_value = gather_value,
	.on_headers_complete = gather_end,
};

static enum head_fault
fault_of(const struct gathering *g, llhttp_errno_t error)
{
	if (g->fault != HEAD_FINE)
		return g->fault;
	switch ((int)error) {
	case HPE_INVALID_CONTENT_LENGTH:
		return HEAD_LENGTH;
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return HEAD_LENGTH_AND_CODING;
	case HPE_INVALID_TRANSFER_ENCODING:
		return HEAD_CODING;
	case HPE_INVALID_URL:
		return HEAD_TARGET;
	case HPE_INVALID_STATUS:
		return HEAD_STATUS;
	default:
		return HEAD_SYNTAX;
	}
}

enum head_fault
fields_gather(struct head *h, enum fields_kind kind, struct span bytes, unsigned max,
    struct field *fields)
{
	struct gathering g = { .fields = fields, .max = max };

	if (max > 0)
		fields[0].name.n = 0;
	llhttp_init(&g.parser, kind == FIELDS_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE,
	    &gathering_settings);
	g.parser.data = &g;
	llhttp_errno_t error = llhttp_execute(&g.parser, bytes.p, bytes.n);
	if (error != HPE_PAUSED)
		return fault_of(&g, error);
	for (unsigned i = 0; i < g.n; i++) {
		struct field *f = &fields[i];

		f->value = span_trim(f->value);
		f->id = field_find(f->name);
		if (span_has_control(f->value))
			return HEAD_FIELD_VALUE;
	}
	h->fields = fields;
	h->n_fields = g.n;
	return HEAD_FINE;
}
