#include "gateway/http/field.h"

#include "tests/unit/suite.h"

static enum field_id
find(const char *name)
{
	return field_find(span_of(name));
}

START_TEST(rows_stand_in_order_and_are_found)
{
	char spelled[64];

	for (unsigned i = FIELD_LOOKALIKE + 1; i < FIELD_COUNT; i++) {
		struct span name = field_name((enum field_id)i);
		struct span before = field_name((enum field_id)(i - 1));

		ck_assert_uint_gt(name.n, 0);
		ck_assert_msg(i == FIELD_LOOKALIKE + 1 || before.n < name.n ||
		    (before.n == name.n &&
		    memcmp(before.p, name.p, name.n) < 0), "%.*s", SPAN_ARG(name));
		ck_assert_int_eq(field_find(name), i);
		for (size_t k = 0; k < name.n; k++)
			spelled[k] = k % 2 == 0 && name.p[k] >= 'a' && name.p[k] <= 'z'
			    ? (char)(name.p[k] & ~0x20) : name.p[k];
		ck_assert_int_eq(field_find(span_make(spelled, name.n)), i);
		ck_assert_int_ne(field_find(span_make(spelled, name.n - 1)), i);
		char *dash = memchr(spelled, '-', name.n);
		if (dash == NULL)
			continue;
		*dash = '_';
		ck_assert_int_eq(field_find(span_make(spelled, name.n)), FIELD_LOOKALIKE);
		*dash = '.';
		ck_assert_int_eq(field_find(span_make(spelled, name.n)), FIELD_LOOKALIKE);
	}
	ck_assert_uint_eq(field_name(FIELD_OTHER).n, 0);
	ck_assert_uint_eq(field_name(FIELD_IDENTITY).n, 0);
}
END_TEST

START_TEST(identity_is_a_family_in_any_spelling)
{
	static const char *const ours[] = {
		"X-Consumer-ID", "x-consumer-username", "X_CONSUMER_ID", "x.consumer.id",
		"X-Consumer-Custom-ID", "X-Credential-Identifier", "x_credential-identifier",
		"X-Authenticated-Scope", "X-Authenticated-Userid", "X-Consumer-",
		"X-Consumer_Groups",
		"X-Consumer-Some-Very-Long-Name-That-Is-In-No-Table",
		"X-Authenticated-Something-Much-Longer-Than-The-Table",
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		ck_assert_msg(find(ours[i]) == FIELD_IDENTITY, "%s", ours[i]);
		ck_assert_int_eq(field_request_fate(find(ours[i])), FATE_DROP);
	}
	ck_assert_int_eq(find("X-Consumer"), FIELD_OTHER);
	ck_assert_int_eq(find("X-Consumers-ID"), FIELD_OTHER);
	ck_assert_int_eq(find("XX-Consumer-ID"), FIELD_OTHER);
	ck_assert_int_eq(find(""), FIELD_OTHER);
	ck_assert_int_eq(find("X-Anonymous-Consumer"), FIELD_X_ANONYMOUS_CONSUMER);
	ck_assert_int_eq(find("x_anonymous.consumer"), FIELD_LOOKALIKE);
}
END_TEST

/* What a client says of these never reaches the backend as it was sent. */
START_TEST(nothing_of_ours_is_taken_from_a_client)
{
	static const char *const names[] = {
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE",
		"Trailer",
		"Upgrade", "HTTP2-Settings", "Expect", "Forwarded", "X-Forwarded-For",
		"X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP", "X-Request-ID",
		"X-Original-URL",
		"X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix", "X-HTTP-Method-Override",
		"X-HTTP-Method", "X-Method-Override", "X-Anonymous-Consumer", "Proxy-Connection",
		"Proxy-Authorization", "X_Forwarded_For", "X.Request.ID", "Content_Length",
		"X-Forwarded_For",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(field_request_fate(find(names[i])) != FATE_PASS, "%s", names[i]);
	ck_assert_int_eq(field_request_fate(find("Authorization")), FATE_PASS);
	ck_assert_int_eq(field_request_fate(find("Cookie")), FATE_PASS);
	ck_assert_int_eq(field_request_fate(find("X_Custom_Header")), FATE_PASS);
}
END_TEST

START_TEST(nothing_of_ours_is_taken_from_a_backend)
{
	static const char *const names[] = {
		"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer",
		"Upgrade", "X-Request-ID", "Proxy-Connection", "Proxy-Authenticate",
		"Content_Length",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(field_response_fate(find(names[i])) != FATE_PASS, "%s", names[i]);
	ck_assert_int_eq(field_response_fate(find("Set-Cookie")), FATE_PASS);
	ck_assert_int_eq(field_response_fate(find("Date")), FATE_PASS);
	ck_assert_int_eq(field_response_fate(find("WWW-Authenticate")), FATE_PASS);
}
END_TEST

START_TEST(names_are_the_same_to_a_sloppy_backend)
{
	ck_assert(field_same_name(SPAN("A-b.C_d"), SPAN("a_B-c.D")));
	ck_assert(field_same_name(SPAN(""), SPAN("")));
	ck_assert(!field_same_name(SPAN("a-b"), SPAN("ab")));
	ck_assert(!field_same_name(SPAN("a-b"), SPAN("a-bc")));
	ck_assert(field_same_name(SPAN("a~b"), SPAN("a-b")));
	ck_assert(!field_same_name(SPAN("a0b"), SPAN("a-b")));
}
END_TEST

SUITE_RUN("http_field", rows_stand_in_order_and_are_found, identity_is_a_family_in_any_spelling,
    nothing_of_ours_is_taken_from_a_client, nothing_of_ours_is_taken_from_a_backend,
    names_are_the_same_to_a_sloppy_backend)
