/*
 * The fields of a head by llhttp, the one place that knows that library.
 *
 * llhttp sees a whole head at once, with its strict rules, and pauses at the end of it, so it
 * never sees a body or a trailer. Nothing here relies on what versions of it differ in.
 */
#ifndef GATEWAY_HTTP_FIELDS_H
#define GATEWAY_HTTP_FIELDS_H

#include "gateway/http/head.h"

enum fields_kind {
	FIELDS_REQUEST,
	FIELDS_RESPONSE,
};

/*
 * Reads the fields of a whole head into `fields` (room for max), each with its id, and hangs them
 * on *h. HEAD_FINE, or what is wrong.
 */
enum head_fault fields_gather(struct head *h, enum fields_kind kind, struct span bytes,
    unsigned max, struct field *fields);

#endif
