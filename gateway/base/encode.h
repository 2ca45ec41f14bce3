/*
 * Encodings that decide about identity are strict: one value has one spelling.
 *
 * Base64url follows RFC 4648 section 5 without padding, and refuses unused bits that are set
 * (section 3.5), so a token can't be spelled in two ways.
 */
#ifndef GATEWAY_BASE_ENCODE_H
#define GATEWAY_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"

/* Bytes that n characters of base64url decode to at most. */
#define BASE64URL_DECODED(n)	((n) / 4 * 3 + 3)
/* Characters that n bytes encode to, without padding. */
#define BASE64URL_ENCODED(n)	(((n) * 4 + 2) / 3)

/*
 * Decodes `in` into `out` (at least BASE64URL_DECODED(in.n) bytes) and sets *n to the length.
 * False for padding, foreign characters, an impossible length, or unused bits that are not zero.
 */
bool base64url_decode(struct span in, uint8_t *out, size_t *n);
/* Writes BASE64URL_ENCODED(n) characters; returns how many. */
size_t base64url_encode(const uint8_t *in, size_t n, char *out);
/*
 * The same for base64 with padding (RFC 4648 section 4), as strictly.
 */
bool base64_decode(struct span in, uint8_t *out, size_t *n);
/* Characters that n bytes encode to, with padding. */
#define BASE64_ENCODED(n)	(((n) + 2) / 3 * 4)
/* Writes BASE64_ENCODED(n) characters, padding and all; returns how many. */
size_t base64_encode(const uint8_t *in, size_t n, char *out);
/* Writes 2 * n lower-case hexadecimal characters. */
void hex_encode(const uint8_t *in, size_t n, char *out);

/* Length (1 to 4) of the UTF-8 sequence (RFC 3629) that starts here, 0 if it is none. */
size_t utf8_length(struct span s);
/* True if all of it is well-formed UTF-8. */
bool utf8_valid(struct span s);

#endif
