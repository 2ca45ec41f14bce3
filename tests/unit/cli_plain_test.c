#include "gateway/cli/plain.h"

#include <string.h>

#include "tests/unit/suite.h"

static void
check(const char *text, const char *expected)
{
	char room[64];

	strcpy(room, text);
	plain_text(room);
	ck_assert_str_eq(room, expected);
}

START_TEST(what_people_write_stays)
{
	check("", "");
	check("alice@shop.test, \"b\\c\"", "alice@shop.test, \"b\\c\"");
	check("J\xc3\xbcrgen \xe5\xb1\xb1 \xf0\x9f\x9a\x9a\ntwo", "J\xc3\xbcrgen \xe5\xb1\xb1 \xf0\x9f\x9a\x9a\ntwo");
	check("\xc2\xa0\xe2\x80\x93", "\xc2\xa0\xe2\x80\x93");
}
END_TEST

START_TEST(what_terminals_obey_is_shown)
{
	check("\x1b[2Ja\tb\r\x7f", "?[2Ja?b??");
	check("a\xc2\x9b" "31mb\xc2\x80\xc2\x9f", "a??31mb????");
	check("\xe2\x80\xae" "x\xe2\x81\xa6\xe2\x80\xa8\xd8\x9c", "???x????????");
}
END_TEST

START_TEST(what_is_no_utf8_is_shown)
{
	check("a\xff\xc2", "a??");
	check("\xc0\x9b\xed\xa0\x80", "?????");
}
END_TEST

SUITE_RUN("cli_plain", what_people_write_stays, what_terminals_obey_is_shown,
    what_is_no_utf8_is_shown)
