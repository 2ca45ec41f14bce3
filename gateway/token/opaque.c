#include "gateway/token/opaque.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "gateway/base/encode.h"
#include "gateway/base/must.h"
#include "gateway/token/digest.h"
#include "gateway/token/seal.h"

#define PREFIX		4
#define UNTAGGED	(UUID_SIZE + OPAQUE_SECRET)
#define CONTENT		(UNTAGGED + OPAQUE_TAG)
#define HMAC_BLOCK	64	/* of SHA-256 */

_Static_assert(PREFIX + BASE64URL_ENCODED(CONTENT) == OPAQUE_TEXT, "what is written is as long");

static const char *const prefixes[] = {
	[OPAQUE_ACCESS] = "gha_",
	[OPAQUE_REFRESH] = "ghr_",
};

bool
opaque_derive_key(struct span issuer, struct span secret, struct seal_key *key)
{
	return seal_derive_for(issuer, secret, SPAN("opaque tokens"), key);
}

bool
opaque_begins(enum opaque_kind kind, struct span text)
{
	return text.n >= PREFIX && memcmp(text.p, prefixes[kind], PREFIX) == 0;
}

/* One pass of HMAC: the digest of the key, turned over by `pad`, and of what follows. */
static void
digest_keyed(const struct seal_key *key, uint8_t pad, const struct span *rest, size_t n,
    uint8_t out[OPAQUE_DIGEST])
{
	uint8_t block[HMAC_BLOCK] = { 0 };
	struct span parts[3] = { span_make(block, sizeof(block)) };

	must(n < sizeof(parts) / sizeof(parts[0]));
	memcpy(block, key->bytes, sizeof(key->bytes));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= pad;
	memcpy(parts + 1, rest, n * sizeof(*rest));
	digest_sha256_parts(parts, n + 1, out);
	OPENSSL_cleanse(block, sizeof(block));
}

static void
make_tag(enum opaque_kind kind, const uint8_t content[UNTAGGED], const struct seal_key *key,
    uint8_t tag[OPAQUE_TAG])
{
	const struct span text[] = { span_make(prefixes[kind], PREFIX),
		span_make(content, UNTAGGED) };
	uint8_t digest[OPAQUE_DIGEST];
	const struct span inner = span_make(digest, sizeof(digest));

	digest_keyed(key, 0x36, text, sizeof(text) / sizeof(text[0]), digest);
	digest_keyed(key, 0x5c, &inner, 1, digest);
	memcpy(tag, digest, OPAQUE_TAG);
}

static bool
has_tag(enum opaque_kind kind, const uint8_t content[CONTENT], const struct seal_key *key)
{
	uint8_t tag[OPAQUE_TAG];

	make_tag(kind, content, key, tag);
	return CRYPTO_memcmp(tag, content + UNTAGGED, OPAQUE_TAG) == 0;
}

bool
opaque_read(enum opaque_kind kind, struct span text, const struct seal_key *key,
    uint8_t id[UUID_SIZE])
{
	uint8_t content[BASE64URL_DECODED(OPAQUE_TEXT - PREFIX)];
	size_t n;
	bool good = text.n == OPAQUE_TEXT && opaque_begins(kind, text) &&
	    base64url_decode(span_skip(text, PREFIX), content, &n) && n == CONTENT &&
	    uuid_is_v7(content) && (key == NULL || has_tag(kind, content, key));

	if (good)
		memcpy(id, content, UUID_SIZE);
	OPENSSL_cleanse(content, sizeof(content));
	return good;
}

void
opaque_write(enum opaque_kind kind, const uint8_t id[UUID_SIZE],
    const uint8_t secret[OPAQUE_SECRET], const struct seal_key *key, char out[OPAQUE_TEXT])
{
	uint8_t content[CONTENT];

	memcpy(content, id, UUID_SIZE);
	memcpy(content + UUID_SIZE, secret, OPAQUE_SECRET);
	make_tag(kind, content, key, content + UNTAGGED);
	memcpy(out, prefixes[kind], PREFIX);
	must(base64url_encode(content, sizeof(content), out + PREFIX) == OPAQUE_TEXT - PREFIX);
	OPENSSL_cleanse(content, sizeof(content));
}

bool
opaque_new(enum opaque_kind kind, const struct seal_key *key, uint8_t id[UUID_SIZE],
    char out[OPAQUE_TEXT])
{
	uint8_t secret[OPAQUE_SECRET];

	if (!uuid_now(id) || RAND_priv_bytes(secret, sizeof(secret)) != 1)
		return false;
	opaque_write(kind, id, secret, key, out);
	OPENSSL_cleanse(secret, sizeof(secret));
	return true;
}

bool
opaque_same(const uint8_t a[OPAQUE_DIGEST], const uint8_t b[OPAQUE_DIGEST])
{
	return CRYPTO_memcmp(a, b, OPAQUE_DIGEST) == 0;
}
