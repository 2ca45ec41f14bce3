#include "gateway/cli/audit_answer.h"

#include <stdlib.h>

/*
 * llhttp does the reading, with all leniency that it has in every version; where it gives up
 * nevertheless, the status counts if there was one.
 */

static struct audit_answer *
answer_of(llhttp_t *parser)
{
	return parser->data;
}

/* Keeps the beginning of a name or a value; longer ones are none that matter here. */
static void
gather(char to[ANSWER_FIELD_MAX], size_t *to_n, const char *at, size_t n)
{
	size_t room = ANSWER_FIELD_MAX - *to_n;

	if (n > room)
		n = room;
	memcpy(to + *to_n, at, n);
	*to_n += n;
}

static int
on_message_begin(llhttp_t *parser)
{
	struct audit_answer *a = answer_of(parser);

	a->in_final = false;
	a->name_n = a->value_n = 0;
	return 0;
}

/* Looks at the field that is complete now. */
static void
take_field(struct audit_answer *a)
{
	struct span value = span_trim(span_make(a->value, a->value_n));
	uint64_t seconds;

	if (a->n == 0 && a->parser.status_code >= 200 &&
	    span_eq_nocase(span_make(a->name, a->name_n), SPAN("retry-after")) &&
	    span_to_u64(value, &seconds))
		a->retry_after_s = seconds > 3600 ? 3600 : (unsigned)seconds;
	a->name_n = a->value_n = 0;
}

static int
on_header_field(llhttp_t *parser, const char *at, size_t n)
{
	struct audit_answer *a = answer_of(parser);

	if (a->value_n > 0)
		take_field(a);
	gather(a->name, &a->name_n, at, n);
	return 0;
}

static int
on_header_value(llhttp_t *parser, const char *at, size_t n)
{
	struct audit_answer *a = answer_of(parser);

	gather(a->value, &a->value_n, at, n);
	return 0;
}

static void
add_status(struct audit_answer *a, unsigned status)
{
	a->in_final = true;
	if (a->n < ANSWER_STATUSES)
		a->statuses[a->n++] = status;
}

static int
on_headers_complete(llhttp_t *parser)
{
	struct audit_answer *a = answer_of(parser);
	unsigned status = parser->status_code;

	take_field(a);
	if (status >= 200 || status == 101)
		add_status(a, status);
	/* 1: no body follows, whatever the fields say */
	return a->bodiless ? 1 : 0;
}

static int
on_body(llhttp_t *parser, const char *at, size_t n)
{
	struct audit_answer *a = answer_of(parser);

	if (a->n != 1 || !a->in_final)
		return 0;
	if (n > ANSWER_BODY_MAX - a->body.n)
		n = ANSWER_BODY_MAX - a->body.n;
	memcpy(a->memory + a->body.n, at, n);
	a->body.n += n;
	return 0;
}

static int
on_message_complete(llhttp_t *parser)
{
	struct audit_answer *a = answer_of(parser);

	if (a->in_final)
		a->complete++;
	return a->complete >= a->wanted ? HPE_PAUSED : 0;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_message_begin,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

bool
answer_init(struct audit_answer *a)
{
	*a = (struct audit_answer){ 0 };
	a->memory = malloc(ANSWER_BODY_MAX + ANSWER_RAW_MAX);
	return a->memory != NULL;
}

void
answer_begin(struct audit_answer *a, unsigned wanted, bool bodiless)
{
	char *memory = a->memory;

	*a = (struct audit_answer){ .memory = memory, .wanted = wanted, .bodiless = bodiless };
	a->body.p = memory;
	a->raw.p = memory + ANSWER_BODY_MAX;
	llhttp_init(&a->parser, HTTP_RESPONSE, &settings);
	llhttp_set_lenient_headers(&a->parser, 1);
	llhttp_set_lenient_chunked_length(&a->parser, 1);
	llhttp_set_lenient_keep_alive(&a->parser, 1);
	a->parser.data = a;
}

/* The status of a first line that llhttp refuses for what comes after it; 0: it is none. */
static unsigned
status_of(struct span raw)
{
	unsigned status = 0;

	if (raw.n < 12 || memcmp(raw.p, "HTTP/1.", 7) != 0 || raw.p[8] != ' ')
		return 0;
	for (size_t i = 9; i < 12; i++) {
		if (raw.p[i] < '0' || raw.p[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(raw.p[i] - '0');
	}
	return status >= 100 && (raw.n == 12 || raw.p[12] < '0' || raw.p[12] > '9') ? status : 0;
}

bool
answer_feed(struct audit_answer *a, struct span bytes)
{
	size_t kept = ANSWER_RAW_MAX - a->raw.n;

	if (kept > bytes.n)
		kept = bytes.n;
	memcpy(a->memory + ANSWER_BODY_MAX + a->raw.n, bytes.p, kept);
	a->raw.n += kept;
	if (!a->broken && bytes.n > 0 &&
	    llhttp_execute(&a->parser, bytes.p, bytes.n) != HPE_OK)
		a->broken = true;
	if (a->broken)		/* of garbage some is kept, to look for the backend's body in it */
		return a->n == 0 && a->raw.n < ANSWER_RAW_MAX;
	return a->complete < a->wanted && a->body.n < ANSWER_BODY_MAX;
}

void
answer_finish(struct audit_answer *a, bool silent)
{
	unsigned status = status_of(a->raw);

	if (!a->broken)
		llhttp_finish(&a->parser);
	/* an interim answer and then nothing is no answer */
	if (a->n == 0 && (status >= 200 || status == 101))
		add_status(a, status);
	if (a->n > 0)
		a->end = ANSWER_CAME;
	else if (a->raw.n > 0 && status == 0)
		a->end = ANSWER_NO_HTTP;
	else
		a->end = silent ? ANSWER_SILENT : ANSWER_CLOSED;
}

void
answer_fini(struct audit_answer *a)
{
	free(a->memory);
	*a = (struct audit_answer){ 0 };
}
