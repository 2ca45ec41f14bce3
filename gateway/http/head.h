/*
 * A message head, parsed strictly: what is ambiguous is a fault, never repaired (RFC 9112).
 *
 * A head is parsed when all of it has come, in one go, and the spans of the result point into the
 * bytes it was parsed from. First our own look at the lines (line ends, folding, the start line),
 * then llhttp, then what neither the one nor the other decides: which fields may stand together,
 * Host, framing. The checks here don't rely on the version of llhttp.
 */
#ifndef GATEWAY_HTTP_HEAD_H
#define GATEWAY_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/http/body.h"
#include "gateway/http/field.h"

enum head_fault {
	HEAD_FINE,
#define FAULT(id, status, sentence) HEAD_##id,
#include "gateway/http/head.def"
#undef FAULT
};

enum method {
	METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_COUNT,
};

struct field {
	struct span	name;
	struct span	value;
	enum field_id	id;
};

struct head_limits {
	size_t		max_head;	/* bytes, both empty lines included */
	size_t		max_target;	/* bytes */
	unsigned	max_fields;
};

struct head {
	/* requests */
	enum method	method;
	struct span	target;		/* as sent, without "http://host"; never empty */
	struct span	host;		/* Host's value; empty only for HTTP/1.0 without one */
	bool		expects_100;	/* Expect: 100-continue */
	bool		expects_other;	/* any other expectation: 417 */
	struct span	upgrade;	/* value of Upgrade where Connection names it, else empty */
	/* responses */
	unsigned	status;		/* 100 to 599 */
	struct span	reason;
	uint64_t	idle_s;		/* Keep-Alive: timeout=; 0: none given */
	/* both */
	unsigned	minor;		/* HTTP/1.minor: 0 or 1 */
	bool		keep_alive;	/* the sender keeps the connection open */
	enum framing	framing;
	uint64_t	length;		/* with FRAMING_LENGTH */
	struct field	*fields;
	unsigned	n_fields;
};

/* Where the search for the end of a head stands; zeroed at the start of each. */
struct head_scan {
	size_t	at;		/* bytes looked at */
	size_t	line;		/* start of the line under way */
};

/*
 * Looks whether `bytes` (all that has come) holds a whole head. HEAD_FINE with *end = 0: not yet,
 * *end > 0: yes, it is that long. A fault is told as soon as it shows.
 */
enum head_fault head_scan(struct head_scan *scan, struct span bytes,
    const struct head_limits *limits, size_t *end);

/*
 * Parses a whole request head. `fields` has room for limits->max_fields; *h points into `bytes` and
 * `fields`.
 */
enum head_fault head_parse_request(struct head *h, struct span bytes,
    const struct head_limits *limits, struct field *fields);

/* Parses a whole response head to a request of this method. */
enum head_fault head_parse_response(struct head *h, struct span bytes,
    const struct head_limits *limits, struct field *fields, enum method method);

/* First field of this id, NULL if there is none. */
const struct field *head_find(const struct head *h, enum field_id id);
/* How many fields of this id there are. */
unsigned head_count(const struct head *h, enum field_id id);
/* True if a Connection field names this field, which then belongs to the connection. */
bool head_connection_names(const struct head *h, struct span name);

/* The status a client is answered for this fault. */
unsigned head_fault_status(enum head_fault fault);
/* The fault as a sentence without a full stop. */
const char *head_fault_text(enum head_fault fault);
/* "GET". */
struct span method_name(enum method m);
/* False if the name is none of ours. Names are case-sensitive (RFC 9110 section 9.1). */
bool method_find(struct span name, enum method *m);

#endif
