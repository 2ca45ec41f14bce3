/*
 * The table of directives is sound, and etc/gatehouse.conf agrees with it. Runs at the top folder.
 */
#include "gateway/conf/directive.h"

#include "conf_support.h"
#include "gateway/conf/value.h"

START_TEST(a_row_is_sound)
{
	const struct directive *d = &directive_table[_i];
	size_t n = strlen(d->sentence);

	ck_assert_ptr_nonnull(directive_section_find(d->section));
	ck_assert_ptr_eq(directive_find(d->section, d->name), d);
	ck_assert_msg(n > 10 && d->sentence[n - 1] != '.', "%s: the sentence", d->name);
	ck_assert_msg(
	    strspn(d->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(d->name), "%s", d->name);
	ck_assert_ptr_null(directive_later(d->section, d->name, NULL));
}
END_TEST

/* Takes the quotes off a default; a list stays as it is. */
static const char *
unquote(const char *text)
{
	static char plain[128];

	if (text[0] != '"')
		return text;
	snprintf(plain, sizeof(plain), "%.*s", (int)strlen(text) - 2, text + 1);
	return plain;
}

START_TEST(a_default_is_accepted)
{
	const struct directive *d = &directive_table[_i];
	struct directive_value value;
	char room[512];
	struct text why = TEXT_OVER(room);

	if (d->fallback == NULL || directive_is_list(d))
		return;
	ck_assert_int_eq(directive_is_quoted(d), d->fallback[0] == '"');
	ck_assert_msg(directive_read(d, unquote(d->fallback), &value, &why), "%s: %.*s", d->name,
	    (int)why.n, room);
}
END_TEST

START_TEST(what_is_accepted_can_be_told)
{
	char room[256];
	struct text out = TEXT_OVER(room);

	directive_accepts(&directive_table[_i], &out);
	ck_assert(!out.cut && out.n > 3);
}
END_TEST

START_TEST(choices_are_in_the_order_of_their_enums)
{
	const char *accepts = directive_find("", "log_level")->accepts;

	ck_assert_int_eq(value_choice(SPAN("error"), accepts), LOG_LEVEL_ERROR);
	ck_assert_int_eq(value_choice(SPAN("debug"), accepts), LOG_LEVEL_DEBUG);
	accepts = directive_find("", "ratelimit_headers")->accepts;
	ck_assert_int_eq(value_choice(SPAN("off"), accepts), RATELIMIT_HEADERS_OFF);
	ck_assert_int_eq(value_choice(SPAN("kong"), accepts), RATELIMIT_HEADERS_KONG);
	ck_assert_int_eq(value_choice(SPAN("ietf"), accepts), RATELIMIT_HEADERS_IETF);
	ck_assert_int_eq(value_choice(SPAN("both"), accepts), RATELIMIT_HEADERS_BOTH);
	accepts = directive_find("upstream", "balance")->accepts;
	ck_assert_int_eq(value_choice(SPAN("round_robin"), accepts), BALANCE_ROUND_ROBIN);
	ck_assert_int_eq(
	    value_choice(SPAN("least_connections"), accepts), BALANCE_LEAST_CONNECTIONS);
	ck_assert_int_eq(value_choice(SPAN("consistent_hash"), accepts), BALANCE_CONSISTENT_HASH);
	accepts = directive_find("route", "rate_by")->accepts;
	ck_assert_int_eq(value_choice(SPAN("consumer"), accepts), RATE_BY_CONSUMER);
	ck_assert_int_eq(value_choice(SPAN("ip"), accepts), RATE_BY_IP);
	ck_assert_int_eq(value_choice(SPAN("route"), accepts), RATE_BY_ROUTE);
}
END_TEST

/* The algorithms of the table are those that tokens are verified with. */
START_TEST(algorithms_are_those_there_are)
{
	const char *accepts = directive_find("issuer", "algorithms")->accepts;
	int n = 0;

#define ALG(name, ...)	ck_assert_int_eq(value_choice(SPAN(#name), accepts), n++);
#include "gateway/token/alg.def"
	for (const char *p = accepts; *p != '\0'; p++)
		n -= *p == '|';
	ck_assert_int_eq(n, 1);
}
END_TEST

START_TEST(a_mistyped_name_finds_its_neighbor)
{
	ck_assert_str_eq(directive_nearest("client", "header_timout")->name, "header_timeout");
	ck_assert_str_eq(directive_nearest("route", "scope")->name, "scopes");
	ck_assert_ptr_null(directive_nearest("route", "frobnicate"));
	ck_assert_ptr_null(directive_nearest("route", ""));
	ck_assert_ptr_null(
	    directive_nearest("", "a_name_that_is_far_longer_than_any_directive_has"));
}
END_TEST

/* ---- etc/gatehouse.conf ---- */

struct line {
	char	section[64];
	char	sentence[256];		/* the comment above */
	char	name[64];
	char	value[256];
	bool	off;			/* commented out */
};

/* Goes through the file; true with each line that is, or would be, a directive. */
static bool
next_directive(FILE *file, struct line *l, char outer[64])
{
	char text[512];

	while (fgets(text, sizeof(text), file) != NULL) {
		char *p = text + strspn(text, "\t");

		p[strcspn(p, "\n")] = '\0';
		l->off = strncmp(p, "# ", 2) == 0;
		if (sscanf(p + (l->off ? 2 : 0), "%63[a-z_] = %255[^\n]", l->name, l->value) == 2)
			return true;
		if (l->off)
			snprintf(l->sentence, sizeof(l->sentence), "%s", p + 2);
		else if (strchr(p, '{') != NULL) {
			strcpy(outer, l->section);
			l->section[strcspn(strcpy(l->section, p), " ")] = '\0';
		} else if (strcmp(p, "}") == 0) {
			strcpy(l->section, outer);
			outer[0] = '\0';
		}
	}
	return false;
}

static bool
stands_in_file(const struct directive *d, struct line *l)
{
	FILE *file = fopen("etc/gatehouse.conf", "re");
	char outer[64] = "";
	bool found = false;

	ck_assert_msg(file != NULL, "run this at the top folder");
	*l = (struct line){ .off = false };
	while (!found && next_directive(file, l, outer))
		found = strcmp(l->section, d->section) == 0 && strcmp(l->name, d->name) == 0;
	fclose(file);
	return found;
}

START_TEST(the_file_shows_a_row)
{
	const struct directive *d = &directive_table[_i];
	struct line l;

	ck_assert_msg(
	    stands_in_file(d, &l), "etc/gatehouse.conf lacks %s of \"%s\"", d->name, d->section);
	ck_assert_msg(strncmp(l.sentence, d->sentence, strlen(d->sentence)) == 0,
	    "etc/gatehouse.conf: %s: \"%s\" is not \"%s\"", d->name, l.sentence, d->sentence);
	if (d->fallback == NULL)
		ck_assert_msg(!l.off, "%s is needed", d->name);
	else
		ck_assert_str_eq(l.value, d->fallback);
}
END_TEST

START_TEST(the_file_shows_nothing_else)
{
	FILE *file = fopen("etc/gatehouse.conf", "re");
	struct line l = { .off = false };
	char outer[64] = "";
	size_t n = 0;

	ck_assert_ptr_nonnull(file);
	for (; next_directive(file, &l, outer); n++)
		ck_assert_msg(
		    directive_find(l.section, l.name) != NULL, "etc/gatehouse.conf: %s", l.name);
	fclose(file);
	ck_assert_uint_eq(n, directive_n);
}
END_TEST

START_TEST(the_file_is_fine)
{
	struct config *config = config_load("etc/gatehouse.conf", conf_error, sizeof(conf_error));

	ck_assert_msg(config != NULL, "%s", conf_error);
	ck_assert_uint_eq(config->n_warnings, 0);
	config_free(&config);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf_directive");
	TCase *tcase = tcase_create("conf_directive");
	int n = (int)directive_n;

	tcase_add_loop_test(tcase, a_row_is_sound, 0, n);
	tcase_add_loop_test(tcase, a_default_is_accepted, 0, n);
	tcase_add_loop_test(tcase, what_is_accepted_can_be_told, 0, n);
	tcase_add_test(tcase, choices_are_in_the_order_of_their_enums);
	tcase_add_test(tcase, algorithms_are_those_there_are);
	tcase_add_test(tcase, a_mistyped_name_finds_its_neighbor);
	tcase_add_loop_test(tcase, the_file_shows_a_row, 0, n);
	tcase_add_test(tcase, the_file_shows_nothing_else);
	tcase_add_test(tcase, the_file_is_fine);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
