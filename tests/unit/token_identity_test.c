#include "gateway/token/identity.h"

#include "gateway/base/encode.h"
#include "tests/unit/suite.h"

/* The bytes stand in databases: they are those of any other SHA-256 over the same. */
START_TEST(identities_are_what_the_page_says)
{
	uint8_t identity[IDENTITY_SIZE];
	char text[2 * IDENTITY_SIZE];

	identity_make(IDENTITY_JTI, SPAN("https://a.test"), SPAN("x"), identity);
	hex_encode(identity, sizeof(identity), text);
	ck_assert_span(span_make(text, sizeof(text)),
	    SPAN("4bcd9108cf53a5324b2870f31b7e8c0712bb8b8dd18dad2392b1996f09d4f518"));
	identity_make(IDENTITY_CLIENT, SPAN("https://a.test"), SPAN("x"), identity);
	hex_encode(identity, sizeof(identity), text);
	ck_assert_span(span_make(text, sizeof(text)),
	    SPAN("c0a27f45894cc80786cf228f7d308cfa967a8fb5b86d7a0fc034dda3fcdf35c3"));
}
END_TEST

START_TEST(issuer_and_value_do_not_run_together)
{
	uint8_t a[IDENTITY_SIZE], b[IDENTITY_SIZE];

	identity_make(IDENTITY_SUBJECT, SPAN("ab"), SPAN("c"), a);
	identity_make(IDENTITY_SUBJECT, SPAN("a"), SPAN("bc"), b);
	ck_assert_int_ne(memcmp(a, b, sizeof(a)), 0);
	identity_make(IDENTITY_SUBJECT, SPAN(""), span_make(NULL, 0), b);
	ck_assert_int_ne(memcmp(a, b, sizeof(a)), 0);
}
END_TEST

START_TEST(each_kind_has_its_name)
{
	for (int i = 0; i < IDENTITY_KINDS; i++) {
		enum identity_kind kind = IDENTITY_KINDS;

		ck_assert(identity_find(identity_name((enum identity_kind)i), &kind));
		ck_assert_int_eq(kind, i);
	}
	enum identity_kind kind;
	ck_assert(!identity_find(SPAN("token"), &kind) && !identity_find(SPAN(""), &kind));
}
END_TEST

START_TEST(a_token_without_jti_has_a_stand_in)
{
	char text[IDENTITY_STAND_IN];

	identity_stand_in(SPAN("e30.e30"), text);
	ck_assert_span(span_make(text, sizeof(text)),
	    SPAN("514vG9GBsbDjKiD6k58_ioMaAmWEEdteIfO4gIL1lNY"));
}
END_TEST

SUITE_RUN("token_identity", identities_are_what_the_page_says,
    issuer_and_value_do_not_run_together, each_kind_has_its_name,
    a_token_without_jti_has_a_stand_in)
