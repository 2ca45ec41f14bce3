#include "gateway/token/opaque.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "gateway/base/encode.h"
#include "gateway/base/must.h"

#define PREFIX		4
#define CONTENT		(UUID_SIZE + OPAQUE_SECRET)

_Static_assert(PREFIX + BASE64URL_ENCODED(CONTENT) == OPAQUE_TEXT, "what is written is as long");

static const char *const prefixes[] = {
	[OPAQUE_ACCESS] = "gha_",
	[OPAQUE_REFRESH] = "ghr_",
};

bool
opaque_begins(enum opaque_kind kind, struct span text)
{
	return text.n >= PREFIX && memcmp(text.p, prefixes[kind], PREFIX) == 0;
}

bool
opaque_read(enum opaque_kind kind, struct span text, uint8_t id[UUID_SIZE])
{
	uint8_t content[BASE64URL_DECODED(OPAQUE_TEXT - PREFIX)];
	size_t n;
	bool good = text.n == OPAQUE_TEXT && opaque_begins(kind, text) &&
	    base64url_decode(span_skip(text, PREFIX), content, &n) && n == CONTENT &&
	    uuid_is_v7(content);

	if (good)
		memcpy(id, content, UUID_SIZE);
	OPENSSL_cleanse(content, sizeof(content));
	return good;
}

void
opaque_write(enum opaque_kind kind, const uint8_t id[UUID_SIZE],
    const uint8_t secret[OPAQUE_SECRET], char out[OPAQUE_TEXT])
{
	uint8_t content[CONTENT];

	memcpy(content, id, UUID_SIZE);
	memcpy(content + UUID_SIZE, secret, OPAQUE_SECRET);
	memcpy(out, prefixes[kind], PREFIX);
	must(base64url_encode(content, sizeof(content), out + PREFIX) == OPAQUE_TEXT - PREFIX);
	OPENSSL_cleanse(content, sizeof(content));
}

bool
opaque_new(enum opaque_kind kind, uint8_t id[UUID_SIZE], char out[OPAQUE_TEXT])
{
	uint8_t secret[OPAQUE_SECRET];

	if (!uuid_now(id) || RAND_priv_bytes(secret, sizeof(secret)) != 1)
		return false;
	opaque_write(kind, id, secret, out);
	OPENSSL_cleanse(secret, sizeof(secret));
	return true;
}

bool
opaque_same(const uint8_t a[OPAQUE_DIGEST], const uint8_t b[OPAQUE_DIGEST])
{
	return CRYPTO_memcmp(a, b, OPAQUE_DIGEST) == 0;
}
