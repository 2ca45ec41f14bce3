/*
 * One normal form of a request's path decides, and is what the backend gets (RFC 3986 section 6).
 *
 * Percent-encoded unreserved characters are decoded, other escapes get upper-case digits,
 * repeated slashes become one. What two programs could read in two ways is refused: dot segments
 * (also "..;x"), an encoded slash, backslash or control character, a bare backslash, a broken
 * escape, escapes that are not UTF-8.
 */
#ifndef GATEWAY_HTTP_TARGET_H
#define GATEWAY_HTTP_TARGET_H

#include <stdbool.h>

#include "gateway/base/arena.h"
#include "gateway/base/span.h"

struct target {
	struct span	path;		/* begins with "/", or is "*" */
	struct span	query;		/* begins with "?", or is empty */
};

enum target_result {
	TARGET_FINE,
	TARGET_AMBIGUOUS,
	TARGET_NO_MEMORY,
};

/* Normalizes a target of head_parse_request(). The spans point into `raw` or the arena. */
enum target_result target_normalize(struct target *t, struct span raw, struct arena *arena);

/*
 * True if `prefix` (of the configuration) covers `path`: the same up to a segment's end. Letters
 * compare in any case, and ";" ends a segment, because there are backends that see it so: who
 * asks for "/ADMIN" or "/admin;x" is held to the rules of "/admin".
 */
bool target_covers(struct span prefix, struct span path);

/* True if the query holds a parameter of this name, escapes in the name decoded. */
bool target_query_has(struct span query, struct span name);

#endif
