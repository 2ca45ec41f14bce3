#include "gateway/token/seal.h"

#include "gateway/base/encode.h"
#include "tests/unit/suite.h"

#define SECRET	SPAN("a secret of 16 b")
#define NAME	SPAN("key-1")
#define PLAIN	SPAN("what nobody else may read")

static struct seal_key key;

static void
derive(void)
{
	ck_assert(seal_derive(SECRET, SEAL_SIGNING_KEYS, &key));
}

/* What is sealed today must open in later versions: the derivation is RFC 5869's. */
START_TEST(keys_are_derived_by_hkdf)
{
	char text[2 * SEAL_KEY_SIZE];

	derive();
	hex_encode(key.bytes, sizeof(key.bytes), text);
	ck_assert_span(span_make(text, sizeof(text)),
	    SPAN("f96774351f3a71bc63124069c0273ff2dbdda399f5a332baec1e21aa6c125a44"));
	ck_assert(seal_derive(SECRET, SEAL_REFRESH_TOKENS, &key));
	hex_encode(key.bytes, sizeof(key.bytes), text);
	ck_assert_span(span_make(text, sizeof(text)),
	    SPAN("55fd1c7498f286a8ab2d0a3f83f86fac9381912c167c3d2241d55f43ea4bbeda"));
	ck_assert(seal_derive_for(SPAN("https://gate.test"), SECRET, SPAN("opaque tokens"), &key));
	hex_encode(key.bytes, sizeof(key.bytes), text);
	ck_assert_span(span_make(text, sizeof(text)),
	    SPAN("d18d2476c459c261b50fa1556eb3013ac86f4f75302bf2b70f7d404559fba282"));
	seal_forget(&key);
	for (size_t i = 0; i < sizeof(key.bytes); i++)
		ck_assert_uint_eq(key.bytes[i], 0);
}
END_TEST

START_TEST(what_is_sealed_comes_back)
{
	uint8_t sealed[64 + SEAL_EXTRA], again[64 + SEAL_EXTRA], plain[64];

	derive();
	for (size_t n = 0; n <= 64; n++) {
		struct span in = span_make("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcccccccccccccccc"
		    "ddddddddddddddddd", n);

		ck_assert(seal_shut(&key, NAME, in, sealed));
		ck_assert(seal_open(&key, NAME, span_make(sealed, n + SEAL_EXTRA), plain));
		ck_assert_span(span_make(plain, n), in);
		ck_assert(seal_shut(&key, NAME, in, again));
		ck_assert_int_ne(memcmp(sealed, again, n + SEAL_EXTRA), 0);
	}
}
END_TEST

START_TEST(what_was_changed_stays_shut)
{
	size_t n = PLAIN.n + SEAL_EXTRA;
	uint8_t sealed[64], plain[64];

	derive();
	ck_assert(seal_shut(&key, NAME, PLAIN, sealed));
	for (size_t i = 0; i < n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memset(plain, 'x', sizeof(plain));
			sealed[i] ^= (uint8_t)(1 << bit);
			ck_assert(!seal_open(&key, NAME, span_make(sealed, n), plain));
			ck_assert(memchr(plain, 'w', PLAIN.n) == NULL);
			sealed[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t i = 0; i < n; i++)
		ck_assert(!seal_open(&key, NAME, span_make(sealed, i), plain));
	ck_assert(seal_open(&key, NAME, span_make(sealed, n), plain));
}
END_TEST

START_TEST(another_key_or_name_does_not_open)
{
	struct seal_key other;
	uint8_t sealed[64], plain[64];

	derive();
	ck_assert(seal_shut(&key, NAME, PLAIN, sealed));
	struct span s = span_make(sealed, PLAIN.n + SEAL_EXTRA);
	ck_assert(!seal_open(&key, SPAN("key-2"), s, plain));
	ck_assert(!seal_open(&key, span_make(NULL, 0), s, plain));
	ck_assert(seal_derive(SECRET, SEAL_REFRESH_TOKENS, &other));
	ck_assert(!seal_open(&other, NAME, s, plain));
	ck_assert(seal_derive(SPAN("a secret of 16 c"), SEAL_SIGNING_KEYS, &other));
	ck_assert(!seal_open(&other, NAME, s, plain));
	ck_assert(seal_open(&key, NAME, s, plain));
}
END_TEST

SUITE_RUN("token_seal", keys_are_derived_by_hkdf, what_is_sealed_comes_back,
    what_was_changed_stays_shut, another_key_or_name_does_not_open)
