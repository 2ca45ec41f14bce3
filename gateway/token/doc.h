/*
 * A doc is the JSON of a token, read strictly and in place.
 *
 * RFC 8259 to the letter and then less: one object, no repeated names (whatever their escapes),
 * valid UTF-8, no NUL, at most DOC_DEPTH_MAX levels and DOC_NAMES_MAX names in one object. Strings
 * are unescaped where they stand, values go into an array of the caller's: nothing is allocated,
 * so a hostile text costs its length and no more. (A key set, read now and then, is jansson's.)
 */
#ifndef GATEWAY_TOKEN_DOC_H
#define GATEWAY_TOKEN_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/text.h"

#define DOC_DEPTH_MAX	20
#define DOC_NAMES_MAX	256
/* Values that a text of n bytes has at most: each but the first stands behind a separator. */
#define DOC_VALUES(n)	((n) / 2 + 1)

enum doc_type {
	DOC_NULL,
	DOC_FALSE,
	DOC_TRUE,
	DOC_NUMBER,
	DOC_STRING,
	DOC_ARRAY,
	DOC_OBJECT,
};

struct doc_value {
	enum doc_type	type;
	uint32_t	count;		/* values from this one to its last descendant */
	uint32_t	name_hash;
	struct span	name;		/* of a member of an object, unescaped */
	struct span	text;		/* a string, unescaped; a number, as it is written */
};

/*
 * Reads a text of n bytes into at most `max` values, of which the first is the object. The text is
 * changed, and must stay as long as the values are used. False if it is not such an object.
 */
bool doc_parse(struct doc_value *values, size_t max, char *text, size_t n);

/* The member of this name; NULL: there is none, or no object. */
const struct doc_value *doc_get(const struct doc_value *object, struct span name);
/* The first value inside an array or object; NULL: none. */
const struct doc_value *doc_first(const struct doc_value *container);
/* The one after `value` in the same container; NULL: it was the last. */
const struct doc_value *doc_next(const struct doc_value *container,
    const struct doc_value *value);
/* The text of a string; p is NULL for every other value and for none. */
struct span doc_string(const struct doc_value *value);
/* True for a number without fraction and exponent that fits; sets *integer. */
bool doc_integer(const struct doc_value *value, int64_t *integer);
/* True for any number that a double can hold; sets *real. */
bool doc_real(const struct doc_value *value, double *real);
/*
 * Appends the value and all inside it as JSON, in one spelling: no space, only the escapes that
 * must be, numbers as they were written. Reading that gives the same value again. False if it did
 * not fit.
 */
bool doc_write(struct text *t, const struct doc_value *value);

#endif
