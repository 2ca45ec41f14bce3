/*
 * What the backend is told about the client's connection: X-Forwarded-*, X-Real-IP, Forwarded
 * (RFC 7239).
 *
 * Written anew for every request. What the client itself says of these is kept only where its
 * address is one of trusted_proxies; then our peer is added behind it.
 */
#ifndef GATEWAY_ACCESS_FORWARDED_H
#define GATEWAY_ACCESS_FORWARDED_H

#include "gateway/base/text.h"
#include "gateway/request/request.h"

/* Bytes that forwarded_put() writes at most. */
size_t forwarded_room(const struct request *r);
void forwarded_put(struct text *t, const struct request *r);

#endif
