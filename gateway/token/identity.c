#include "gateway/token/identity.h"

#include "gateway/base/encode.h"
#include "gateway/token/digest.h"

static const struct span names[IDENTITY_KINDS] = {
	[IDENTITY_JTI] = { "jti", 3 },
	[IDENTITY_SUBJECT] = { "subject", 7 },
	[IDENTITY_CLIENT] = { "client", 6 },
	[IDENTITY_KEY] = { "key", 3 },
	[IDENTITY_SESSION] = { "session", 7 },
	[IDENTITY_CHANGE] = { "change", 6 },
};

struct span
identity_name(enum identity_kind kind)
{
	return names[kind];
}

bool
identity_find(struct span name, enum identity_kind *kind)
{
	for (int i = 0; i < IDENTITY_KINDS; i++)
		if (span_eq(names[i], name)) {
			*kind = (enum identity_kind)i;
			return true;
		}
	return false;
}

void
identity_make(enum identity_kind kind, struct span iss, struct span value,
    uint8_t out[IDENTITY_SIZE])
{
	const struct span parts[] = { names[kind], { "", 1 }, iss, { "", 1 }, value };

	digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), out);
}

void
identity_stand_in(struct span signing_input, char out[IDENTITY_STAND_IN])
{
	uint8_t digest[32];

	_Static_assert(BASE64URL_ENCODED(sizeof(digest)) == IDENTITY_STAND_IN, "it fits");
	digest_sha256(signing_input, digest);
	base64url_encode(digest, sizeof(digest), out);
}
