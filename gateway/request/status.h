/*
 * Reason phrases (RFC 9110 section 15).
 */
#ifndef GATEWAY_REQUEST_STATUS_H
#define GATEWAY_REQUEST_STATUS_H

#include "gateway/base/span.h"

/* "Not Found"; "Unknown" for a status without a row. */
struct span status_reason(unsigned status);

#endif
