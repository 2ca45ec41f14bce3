#include "gateway/token/uuid.h"

#include "gateway/base/clock.h"
#include "tests/unit/suite.h"

#define TEXT	"0190a7c3-d8f1-7abc-8def-0123456789ab"

START_TEST(time_comes_first_then_version_chance_and_variant)
{
	static const uint8_t chance[UUID_CHANCE] = { 0xfa, 0xbc, 0xcd, 0xef, 0x01, 0x23, 0x45,
		0x67, 0x89, 0xab };
	uint8_t uuid[UUID_SIZE];
	char text[UUID_TEXT];

	uuid_make(uuid, 0x0190a7c3d8f1, chance);
	uuid_text(uuid, text);
	ck_assert_span(span_make(text, UUID_TEXT), SPAN(TEXT));
	ck_assert(uuid_is_v7(uuid));
	ck_assert_uint_eq(uuid_wall_ms(uuid), 0x0190a7c3d8f1);
}
END_TEST

START_TEST(now_is_now_and_never_twice_the_same)
{
	uint8_t a[UUID_SIZE], b[UUID_SIZE];
	uint64_t before = (uint64_t)clock_wall_us() / 1000;

	ck_assert(uuid_now(a) && uuid_now(b));
	ck_assert(uuid_is_v7(a) && uuid_wall_ms(a) >= before && uuid_wall_ms(b) >= before);
	ck_assert_uint_le(uuid_wall_ms(b), (uint64_t)clock_wall_us() / 1000);
	ck_assert_int_ne(memcmp(a, b, sizeof(a)), 0);
}
END_TEST

START_TEST(a_text_has_one_spelling)
{
	static const char *const bad[] = {
		"", "0190a7c3d8f17abc8def0123456789ab", TEXT "0", " " TEXT, "{" TEXT "}",
		"0190A7C3-D8F1-7ABC-8DEF-0123456789AB", "0190a7c3-d8f1-7abc-8def-0123456789a",
		"0190a7c3-d8f1-7abc-8def-0123456789ag", "0190a7c3-d8f1-7abc-8def+0123456789ab",
		"0190a7c-3d8f1-7abc-8def-0123456789ab", "0190a7c3-d8f1-7abc-8def-0123456789 b",
	};
	uint8_t uuid[UUID_SIZE];
	char text[UUID_TEXT];

	ck_assert(uuid_read(SPAN(TEXT), uuid));
	uuid_text(uuid, text);
	ck_assert_span(span_make(text, UUID_TEXT), SPAN(TEXT));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!uuid_read(span_of(bad[i]), uuid), "%s", bad[i]);
}
END_TEST

START_TEST(other_versions_are_told_apart)
{
	uint8_t uuid[UUID_SIZE];

	ck_assert(uuid_read(SPAN("0190a7c3-d8f1-4abc-8def-0123456789ab"), uuid));
	ck_assert(!uuid_is_v7(uuid));
	ck_assert(uuid_read(SPAN("0190a7c3-d8f1-7abc-cdef-0123456789ab"), uuid));
	ck_assert(!uuid_is_v7(uuid));
}
END_TEST

SUITE_RUN("token_uuid", time_comes_first_then_version_chance_and_variant,
    now_is_now_and_never_twice_the_same, a_text_has_one_spelling, other_versions_are_told_apart)
