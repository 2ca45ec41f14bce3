/*
 * Three looks at a head, each cheap, each closing what the others leave open:
 *
 * 1. head_scan(), while it arrives: every line ends in CR LF, no CR stands elsewhere, none is
 * folded, none is
 *    empty but the last. Debian 12's llhttp accepts some of each.
 * 2. llhttp, strict, over the whole head at once: the grammar of fields. It pauses at the end of
 * the head, so
 *    it never sees a body or a trailer.
 * 3. The rules between fields: one Host, one framing, what may not be combined.
 */
#include "gateway/http/head.h"

#include "gateway/http/fields.h"

struct fault_row {
	unsigned	 status;
	const char	*sentence;
};

static const struct fault_row faults[] = {
	[HEAD_FINE] = { 200, "fine" },
#define FAULT(id, status, sentence) [HEAD_##id] = { status, sentence },
#include "gateway/http/head.def"
#undef FAULT
};

static const struct span method_names[METHOD_COUNT] = {
	[METHOD_GET] = SPAN("GET"),
	[METHOD_HEAD] = SPAN("HEAD"),
	[METHOD_POST] = SPAN("POST"),
	[METHOD_PUT] = SPAN("PUT"),
	[METHOD_PATCH] = SPAN("PATCH"),
	[METHOD_DELETE] = SPAN("DELETE"),
	[METHOD_OPTIONS] = SPAN("OPTIONS"),
};

unsigned
head_fault_status(enum head_fault fault)
{
	return faults[fault].status;
}

const char *
head_fault_text(enum head_fault fault)
{
	return faults[fault].sentence;
}

struct span
method_name(enum method m)
{
	return method_names[m];
}

bool
method_find(struct span name, enum method *m)
{
	for (unsigned i = 0; i < METHOD_COUNT; i++)
		if (span_eq(method_names[i], name)) {
			*m = (enum method)i;
			return true;
		}
	return false;
}

/* What is wrong with a head that is too large, by how far it came. */
static enum head_fault
too_large(const struct head_scan *scan, const struct head_limits *limits)
{
	return scan->line == 0 && scan->at > limits->max_target ? HEAD_TARGET_LONG : HEAD_TOO_LARGE;
}

enum head_fault
head_scan(struct head_scan *scan, struct span bytes, const struct head_limits *limits, size_t *end)
{
	*end = 0;
	/* no verdict comes of what lies beyond the limit, so it is the same however bytes arrive */
	if (bytes.n > limits->max_head)
		bytes.n = limits->max_head;
	while (scan->at < bytes.n) {
		const char *line = bytes.p + scan->line;
		const char *lf = memchr(bytes.p + scan->at, '\n', bytes.n - scan->at);
		size_t stop = lf == NULL ? bytes.n : (size_t)(lf - bytes.p);
		/* a last CR may yet be followed by its LF */
		const char *cr = memchr(line, '\r', stop - scan->line);

		if (stop > scan->line && (line[0] == ' ' || line[0] == '\t'))
			return HEAD_FOLDED;
		if (cr != NULL && cr + 1 != bytes.p + stop)
			return HEAD_LINE_END;
		scan->at = stop;
		if (lf == NULL)
			break;
		if (cr == NULL)
			return HEAD_LINE_END;
		scan->at = stop + 1;
		if (cr == line) {
			if (scan->line == 0)
				return HEAD_EMPTY_LINE;
			*end = scan->at;
			return HEAD_FINE;
		}
		scan->line = scan->at;
	}
	return bytes.n == limits->max_head ? too_large(scan, limits) : HEAD_FINE;
}

const struct field *
head_find(const struct head *h, enum field_id id)
{
	for (unsigned i = 0; i < h->n_fields; i++)
		if (h->fields[i].id == id)
			return &h->fields[i];
	return NULL;
}

unsigned
head_count(const struct head *h, enum field_id id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->n_fields; i++)
		n += h->fields[i].id == id;
	return n;
}

bool
head_connection_names(const struct head *h, struct span name)
{
	for (unsigned i = 0; i < h->n_fields; i++) {
		struct span rest = h->fields[i].value, item;

		if (h->fields[i].id != FIELD_CONNECTION)
			continue;
		while (span_next(&rest, ',', &item))
			if (field_same_name(item, name))
				return true;
	}
	return false;
}

/* Content-Length and Transfer-Encoding, common to both kinds (RFC 9112 section 6). */
static enum head_fault
read_framing(struct head *h)
{
	const struct field *length = head_find(h, FIELD_CONTENT_LENGTH);
	const struct field *coding = head_find(h, FIELD_TRANSFER_ENCODING);

	h->framing = FRAMING_NONE;
	if (coding != NULL) {
		if (length != NULL)
			return HEAD_LENGTH_AND_CODING;
		if (h->minor == 0 || head_count(h, FIELD_TRANSFER_ENCODING) != 1 ||
		    !span_eq_nocase(coding->value, SPAN("chunked")))
			return HEAD_CODING;
		h->framing = FRAMING_CHUNKED;
	} else if (length != NULL) {
		if (head_count(h, FIELD_CONTENT_LENGTH) != 1 ||
		    !span_to_u64(length->value, &h->length) || h->length > INT64_MAX)
			return HEAD_LENGTH;
		h->framing = FRAMING_LENGTH;
	}
	return HEAD_FINE;
}

static void
read_connection(struct head *h)
{
	h->keep_alive = h->minor == 1 ? !head_connection_names(h, SPAN("close"))
	    : head_connection_names(h, SPAN("keep-alive")) &&
	    !head_connection_names(h, SPAN("close"));
}

static bool
is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (span_lower(c) >= 'a' && span_lower(c) <= 'z') ||
	    c == '-' || c == '.' || c == '_' || c == '~';
}

static bool
is_ipv6_char(char c)
{
	return (c >= '0' && c <= '9') || (span_lower(c) >= 'a' && span_lower(c) <= 'f') ||
	    c == ':' || c == '.';
}

/* host [":" port], the host a name, an IPv4 address or an IPv6 address in brackets. */
static bool
host_is_valid(struct span s)
{
	size_t at = 0;
	uint64_t port;

	if (s.n > 255 + 6)
		return false;
	if (s.n > 0 && s.p[0] == '[') {
		for (at = 1; at < s.n && is_ipv6_char(s.p[at]);)
			at++;
		if (at < 3 || at == s.n || s.p[at++] != ']')
			return false;
	} else {
		/* no label is empty but the root's, behind the last dot */
		while (at < s.n && is_host_char(s.p[at]) &&
		    (s.p[at] != '.' || (at > 0 && s.p[at - 1] != '.')))
			at++;
		if (at == 0)
			return false;
	}
	if (at == s.n)
		return true;
	return s.p[at] == ':' && span_to_u64(span_skip(s, at + 1), &port) && port <= 65535;
}

/* The request line; llhttp is more liberal than RFC 9112 section 3. */
static enum head_fault
read_request_line(struct head *h, struct span line, const struct head_limits *limits)
{
	const char *first = memchr(line.p, ' ', line.n);
	const char *last = memrchr(line.p, ' ', line.n);

	if (first == NULL || first == line.p)
		return HEAD_START_LINE;
	struct span method = span_make(line.p, (size_t)(first - line.p));
	for (size_t i = 0; i < method.n; i++)
		if (span_lower(method.p[i]) < 'a' || span_lower(method.p[i]) > 'z')
			if (method.p[i] != '-' && method.p[i] != '_')
				return HEAD_START_LINE;
	if (first == last)
		return HEAD_START_LINE;
	h->target = span_make(first + 1, (size_t)(last - first - 1));
	struct span version = span_make(last + 1, (size_t)(line.p + line.n - last - 1));
	if (h->target.n == 0 || memchr(h->target.p, ' ', h->target.n) != NULL)
		return HEAD_START_LINE;
	if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0 || version.p[6] != '.')
		return HEAD_START_LINE;
	if (version.p[5] != '1' || (version.p[7] != '0' && version.p[7] != '1'))
		return HEAD_VERSION;
	h->minor = (unsigned)(version.p[7] - '0');
	if (span_eq(method, SPAN("TRACE")) || span_eq(method, SPAN("CONNECT")))
		return HEAD_METHOD_REFUSED;
	if (!method_find(method, &h->method))
		return HEAD_METHOD;
	return h->target.n > limits->max_target ? HEAD_TARGET_LONG : HEAD_FINE;
}

/* Host, and an absolute-form target that must agree with it (RFC 9112 section 3.2). */
static enum head_fault
read_host(struct head *h)
{
	const struct field *host = head_find(h, FIELD_HOST);
	struct span target = h->target;

	h->host = host == NULL ? SPAN("") : host->value;
	if (head_count(h, FIELD_HOST) > 1 || (host == NULL && h->minor == 1) ||
	    (host != NULL && !host_is_valid(h->host)))
		return HEAD_HOST;
	for (size_t i = 0; i < target.n; i++)
		if ((unsigned char)target.p[i] <= 0x20 || (unsigned char)target.p[i] >= 0x7f ||
		    memchr("#\"<>", target.p[i], 4) != NULL)
			return HEAD_TARGET;
	if (target.p[0] == '/' || (h->method == METHOD_OPTIONS && span_eq(target, SPAN("*"))))
		return HEAD_FINE;
	size_t scheme = span_starts_nocase(target, SPAN("http://")) ? 7
	    : span_starts_nocase(target, SPAN("https://")) ? 8 : 0;
	if (scheme == 0)
		return HEAD_TARGET;
	target = span_skip(target, scheme);
	size_t n = 0;
	while (n < target.n && target.p[n] != '/' && target.p[n] != '?')
		n++;
	struct span authority = span_make(target.p, n);
	if (!host_is_valid(authority) || (host != NULL && !span_eq_nocase(authority, h->host)))
		return HEAD_HOST_UNLIKE;
	h->host = authority;
	h->target = n < target.n ? span_skip(target, n) : SPAN("/");
	return HEAD_FINE;
}

static void
read_expectations(struct head *h)
{
	for (unsigned i = 0; i < h->n_fields; i++)
		if (h->fields[i].id == FIELD_EXPECT) {
			if (span_eq_nocase(h->fields[i].value, SPAN("100-continue")))
				h->expects_100 = h->minor == 1;
			else
				h->expects_other = true;
		}
	const struct field *upgrade = head_find(h, FIELD_UPGRADE);
	if (upgrade != NULL && head_connection_names(h, SPAN("upgrade")))
		h->upgrade = upgrade->value;
}

static struct span
first_line(struct span bytes)
{
	const char *cr = memchr(bytes.p, '\r', bytes.n);

	return span_make(bytes.p, cr == NULL ? bytes.n : (size_t)(cr - bytes.p));
}

enum head_fault
head_parse_request(struct head *h, struct span bytes, const struct head_limits *limits,
    struct field *fields)
{
	enum head_fault fault;

	*h = (struct head){ 0 };
	if ((fault = read_request_line(h, first_line(bytes), limits)) != HEAD_FINE ||
	    (fault = fields_gather(h, FIELDS_REQUEST, bytes, limits->max_fields,
	    fields)) != HEAD_FINE ||
	    (fault = read_framing(h)) != HEAD_FINE || (fault = read_host(h)) != HEAD_FINE)
		return fault;
	for (unsigned i = 0; i < h->n_fields; i++)
		if (h->fields[i].id == FIELD_LOOKALIKE &&
		    (field_same_name(h->fields[i].name, SPAN("content-length")) ||
		    field_same_name(h->fields[i].name, SPAN("transfer-encoding"))))
			return HEAD_FIELD_NAME;
	read_connection(h);
	read_expectations(h);
	return HEAD_FINE;
}

/* "HTTP/1.1 200 OK"; the reason may be empty, and so may the space before it. */
static enum head_fault
read_status_line(struct head *h, struct span line)
{
	if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[8] != ' ')
		return HEAD_START_LINE;
	if (line.p[7] != '0' && line.p[7] != '1')
		return HEAD_VERSION;
	h->minor = (unsigned)(line.p[7] - '0');
	for (int i = 9; i < 12; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return HEAD_STATUS;
		h->status = h->status * 10 + (unsigned)(line.p[i] - '0');
	}
	if (h->status < 100 || h->status > 599 || (line.n > 12 && line.p[12] != ' '))
		return HEAD_STATUS;
	h->reason = line.n > 13 ? span_skip(line, 13) : SPAN("");
	for (size_t i = 0; i < h->reason.n; i++)
		if ((unsigned char)h->reason.p[i] < 0x20 || h->reason.p[i] == 0x7f)
			return HEAD_STATUS;
	return HEAD_FINE;
}

/* Which answers have a body, whatever their head says (RFC 9112 section 6.3). */
static enum head_fault
response_framing(struct head *h, enum method method)
{
	if (h->status < 200 || h->status == 204) {
		if (h->framing == FRAMING_CHUNKED ||
		    (h->framing == FRAMING_LENGTH && h->length > 0))
			return h->framing == FRAMING_CHUNKED ? HEAD_CODING : HEAD_LENGTH;
		h->framing = FRAMING_NONE;
	} else if (h->status == 304 || method == METHOD_HEAD) {
		h->framing = FRAMING_NONE;
	} else if (h->framing == FRAMING_NONE) {
		h->framing = FRAMING_CLOSE;
		h->keep_alive = false;
	}
	return HEAD_FINE;
}

static void
read_keep_alive(struct head *h)
{
	const struct field *field = head_find(h, FIELD_KEEP_ALIVE);
	struct span rest, item;

	if (field == NULL)
		return;
	for (rest = field->value; span_next(&rest, ',', &item);)
		if (span_starts_nocase(item, SPAN("timeout=")))
			span_to_u64(span_skip(item, 8), &h->idle_s);
}

enum head_fault
head_parse_response(struct head *h, struct span bytes, const struct head_limits *limits,
    struct field *fields, enum method method)
{
	enum head_fault fault;

	*h = (struct head){ 0 };
	if ((fault = read_status_line(h, first_line(bytes))) != HEAD_FINE ||
	    (fault = fields_gather(h, FIELDS_RESPONSE, bytes, limits->max_fields,
	    fields)) != HEAD_FINE ||
	    (fault = read_framing(h)) != HEAD_FINE)
		return fault;
	read_connection(h);
	read_keep_alive(h);
	return response_framing(h, method);
}
