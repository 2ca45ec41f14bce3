/*
 * The form in the body of a request (application/x-www-form-urlencoded), read strictly.
 *
 * Names and values are decoded where they stand, once, and must be valid UTF-8 without NUL. A
 * parameter that comes twice makes the form ambiguous and is refused (RFC 6749 section 3.2), but
 * for audience and resource, which may be repeated (RFC 8693 section 2.1, RFC 8707 section 2). A
 * parameter without a value is as if it had not been sent.
 */
#ifndef GATEWAY_OAUTH_FORM_H
#define GATEWAY_OAUTH_FORM_H

#include "gateway/base/span.h"

#define FORM_BYTES_MAX	((size_t)64 * 1024)
#define FORM_PARAMS_MAX	64

struct form_param {
	struct span	name;
	struct span	value;
};

struct form {
	unsigned		n;
	struct form_param	params[FORM_PARAMS_MAX];
};

enum form_result {
	FORM_FINE,
	FORM_MALFORMED,		/* a broken escape, NUL, or no UTF-8 */
	FORM_REPEATED,
	FORM_TOO_MANY,		/* more than FORM_PARAMS_MAX */
};

/* Reads n bytes, which are changed and must stay as long as the form is used. */
enum form_result form_parse(struct form *form, char *bytes, size_t n);

/* The value of a parameter; n is 0 when there is none, or an empty one. */
struct span form_get(const struct form *form, struct span name);
/*
 * Goes through the values of one that may be repeated, the empty ones left out: begin with *at = 0;
 * false at the end.
 */
bool form_next(const struct form *form, struct span name, unsigned *at, struct span *value);

/*
 * Decodes one value (RFC 6749 appendix B) where it stands: "+" is a space. False for a broken
 * escape, NUL, or what is no UTF-8.
 */
bool form_decode(char *bytes, size_t *n);

#endif
