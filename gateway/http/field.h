/*
 * Which header field is this, and what becomes of it?
 *
 * A name is looked up as it is compared by sloppy backends: any case, and any mark for `-` (CGI
 * makes `_` of all), so that X_Consumer_ID and X~Consumer.ID are X-Consumer-ID to us too. A name
 * that only so resembles one that matters is never passed on. The identity fields (Kong's names)
 * are whole families: x-consumer-*, x-credential-*, x-authenticated-*.
 */
#ifndef GATEWAY_HTTP_FIELD_H
#define GATEWAY_HTTP_FIELD_H

#include <stdbool.h>

#include "gateway/base/span.h"

enum field_id {
	FIELD_OTHER,
	FIELD_IDENTITY,		/* one of the families that only the gateway may set */
	FIELD_LOOKALIKE,	/* not the spelling of a known name, but folds to one */
#define FIELD(id, name, request, response) FIELD_##id,
#include "gateway/http/field.def"
#undef FIELD
	FIELD_COUNT,
};

enum field_fate {
	FATE_PASS,
	FATE_HOP,
	FATE_OWN,
	FATE_DROP,
};

/* The field of this name. */
enum field_id field_find(struct span name);
/* What becomes of it on the way to the backend. */
enum field_fate field_request_fate(enum field_id id);
/* What becomes of it on the way to the client. */
enum field_fate field_response_fate(enum field_id id);
/* Its name in lower case; "" for those without a row. */
struct span field_name(enum field_id id);
/* True if both names are the same to a backend that folds case and marks. */
bool field_same_name(struct span a, struct span b);

#endif
