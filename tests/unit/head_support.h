/*
 * Heads as tests read them: each also byte by byte, and cut in two at every position; the verdict
 * must be the same.
 */
#ifndef TESTS_UNIT_HEAD_SUPPORT_H
#define TESTS_UNIT_HEAD_SUPPORT_H

#include "gateway/base/text.h"
#include "gateway/http/head.h"
#include "tests/unit/suite.h"

#define MAX_FIELDS	10

static const struct head_limits limits = { 512, 128, MAX_FIELDS };
static struct field fields[MAX_FIELDS];
static struct head h;
static char copy[4096];		/* what h points into */

/* The verdict of scanning the bytes that come in two parts, then one by one. */
static enum head_fault
scan_at(struct span bytes, size_t cut, size_t *end)
{
	struct head_scan scan = { 0 };
	enum head_fault fault = HEAD_FINE;

	*end = 0;
	for (size_t n = cut; fault == HEAD_FINE && *end == 0; n++) {
		/* memory of just these bytes, for a sanitizer to watch */
		char *p = malloc(n + 1);
		memcpy(p, bytes.p, n);
		fault = head_scan(&scan, span_make(p, n), &limits, end);
		free(p);
		if (n >= bytes.n)
			break;
	}
	return fault;
}

static enum head_fault
scan(struct span bytes, size_t *end)
{
	struct head_scan at_once = { 0 };
	enum head_fault fault = head_scan(&at_once, bytes, &limits, end);

	for (size_t cut = 0; cut <= bytes.n; cut++) {
		size_t cut_end;
		enum head_fault cut_fault = scan_at(bytes, cut, &cut_end);

		ck_assert_msg(cut_fault == fault && cut_end == *end, "cut at %zu: %s, not %s", cut,
		    head_fault_text(cut_fault), head_fault_text(fault));
	}
	return fault;
}

__attribute__((unused)) static enum head_fault
request(struct span bytes)
{
	size_t end;

	ck_assert_uint_le(bytes.n, sizeof(copy));
	enum head_fault fault = scan(bytes, &end);
	if (fault != HEAD_FINE)
		return fault;
	ck_assert_uint_eq(end, bytes.n);
	memcpy(copy, bytes.p, bytes.n);
	return head_parse_request(&h, span_make(copy, end), &limits, fields);
}

__attribute__((unused)) static enum head_fault
response(struct span bytes, enum method method)
{
	size_t end;
	enum head_fault fault = scan(bytes, &end);

	if (fault != HEAD_FINE)
		return fault;
	ck_assert_uint_eq(end, bytes.n);
	memcpy(copy, bytes.p, bytes.n);
	return head_parse_response(&h, span_make(copy, end), &limits, fields, method);
}

#define ck_request(literal, expected) do { \
	enum head_fault fault_ = request(SPAN(literal)); \
	ck_assert_msg(fault_ == (expected), "%s: %s", #literal, head_fault_text(fault_)); \
} while (0)

/* A request with these lines below a good first line and Host. */
#define ck_lines(lines, expected) \
	ck_request("POST / HTTP/1.1\r\nHost: a.test\r\n" lines "\r\n", expected)
/* A request with this first line. */
#define ck_first(line, expected) ck_request(line "\r\nHost: a.test\r\n\r\n", expected)
#define ck_host(value, expected) ck_request("GET / HTTP/1.1\r\nHost:" value "\r\n\r\n", expected)
#define ck_response(literal, method, expected) do { \
	enum head_fault fault_ = response(SPAN(literal), METHOD_##method); \
	ck_assert_msg(fault_ == (expected), "%s: %s", #literal, head_fault_text(fault_)); \
} while (0)
#define ck_answer(line, lines, expected) \
	ck_response("HTTP/1.1 " line "\r\n" lines "\r\n", GET, expected)

#endif
