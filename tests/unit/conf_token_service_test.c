/*
 * The token service in the configuration: what arrives, the issuer it becomes, its key, and what
 * is weak about it. What is wrong stands in conf_broken_test.c.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "conf_support.h"

#define DATABASE	"database { url = \"postgresql://127.0.0.1/x\" }\n"
#define NEEDED		"issuer = \"https://self.test\" audience = {\"orders\"} "
#define KEY		"encryption_key = \"0123456789abcdef\" "
#define SERVICE(inside)	DATABASE "token_service { " NEEDED inside " }\n"

static bool
is(struct span s, const char *text)
{
	return span_eq(s, span_of(text));
}

START_TEST(defaults_are_safe)
{
	struct config *c = conf_load_good(MINIMAL SERVICE(KEY));
	const struct config_token_service *t = c->token_service;

	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(c->n_warnings, 0);
	ck_assert_str_eq(t->issuer, "https://self.test");
	ck_assert_str_eq(t->path, "/oauth2");
	ck_assert(t->n_audience == 1 && is(t->audience[0], "orders"));
	ck_assert(is(t->encryption_key, "0123456789abcdef"));
	ck_assert_int_eq(t->signing, SIGNING_ES256);
	ck_assert(t->lifetime_s == 3600 && t->refresh_lifetime_s == 86400);
	ck_assert(t->refresh_grace_s == 10 && t->reuse == 500 && t->jwks_max_age_s == 300);
	ck_assert(t->rate_count == 30 && t->rate_period_us == 1000000);
	ck_assert(t->failures_count == 10 && t->failures_period_us == 60000000);
	ck_assert_int_eq(t->line, 6);
	ck_assert(c->shared_memory.reuse == 8 << 20 && c->shared_memory.replay == 4 << 20);
	config_free(&c);
}
END_TEST

START_TEST(everything_arrives)
{
	struct config *c = conf_load_good(MINIMAL SERVICE(KEY "path = \"/a/b-c\" signing = EdDSA "
	    "lifetime = 60 refresh_lifetime = 120 refresh_grace = 0 reuse = 0.125 "
	    "token_rate = \"5/m\" auth_failures = \"2/h\" jwks_max_age = 7")
	    "shared_memory { reuse = \"2M\" replay = \"1M\" }\n");
	const struct config_token_service *t = c->token_service;

	ck_assert_str_eq(t->path, "/a/b-c");
	ck_assert_int_eq(t->signing, SIGNING_EDDSA);
	ck_assert(t->lifetime_s == 60 && t->refresh_lifetime_s == 120 && t->refresh_grace_s == 0);
	ck_assert(t->reuse == 125 && t->jwks_max_age_s == 7);
	ck_assert(t->rate_count == 5 && t->rate_period_us == 60000000);
	ck_assert(t->failures_count == 2 && t->failures_period_us == 3600000000);
	ck_assert(c->shared_memory.reuse == 2 << 20 && c->shared_memory.replay == 1 << 20);
	config_free(&c);
}
END_TEST

START_TEST(it_is_the_issuer_self)
{
	struct config *c = conf_load_good(MINIMAL SERVICE(KEY)
	    "route \"s\" { upstream = \"u\" paths = {\"/s\"} issuers = {\"self\"} }\n");
	const struct config_issuer *i = &c->issuers[1];

	ck_assert_uint_eq(c->n_issuers, 2);
	ck_assert(i->own && !c->issuers[0].own && i->id != c->issuers[0].id);
	ck_assert_str_eq(i->name, "self");
	ck_assert_str_eq(i->issuer, "https://self.test");
	ck_assert(i->any_audience && i->n_route_audience == 1 && c->issuers[0].route_audience == NULL);
	ck_assert(is(i->route_audience[0], "orders"));
	ck_assert(i->n_token_types == 1 && is(i->token_types[0], "at+jwt"));
	ck_assert(i->n_algorithms == 3 && i->max_token == 8192 && i->leeway_s == 5);
	ck_assert(i->jwks_uri[0] == '\0' && i->jwks_file[0] == '\0' && i->rules != 0);
	/* a route that names no issuers accepts this one too */
	ck_assert(c->routes[0].n_issuers == 2 && c->routes[0].issuers[1] == i);
	ck_assert(c->routes[1].n_issuers == 1 && c->routes[1].issuers[0] == i);
	config_free(&c);
}
END_TEST

START_TEST(it_may_be_the_only_issuer)
{
	struct config *c = conf_load_good(LISTEN UPSTREAM ROUTE SERVICE(KEY));

	ck_assert(c->n_issuers == 1 && c->issuers[0].own && c->routes[0].n_issuers == 1);
	config_free(&c);
}
END_TEST

START_TEST(an_empty_section_asks_for_nothing)
{
	struct config *c = conf_load_good(MINIMAL "token_service { }\n");

	ck_assert(c->token_service == NULL && c->n_issuers == 1);
	config_free(&c);
	c = conf_load_good(MINIMAL DATABASE);
	ck_assert(c->token_service == NULL && c->n_issuers == 1);
	config_free(&c);
}
END_TEST

/* A key in a file loses the end of its line; whoever can read it can read all signing keys. */
START_TEST(the_key_may_stand_in_a_file)
{
	char text[1024], path[] = "/tmp/gatehouse-key-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "0123456789abcdef\n", 17), 17);
	snprintf(text, sizeof(text), MINIMAL SERVICE("encryption_key_file = \"%s\""), path);
	ck_assert_int_eq(fchmod(fd, 0640), 0);
	struct config *c = conf_load_good(text);
	ck_assert(is(c->token_service->encryption_key, "0123456789abcdef"));
	ck_assert_uint_eq(c->n_warnings, 0);
	config_free(&c);
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	c = conf_load_good(text);
	ck_assert_uint_eq(c->n_warnings, 1);
	ck_assert_ptr_nonnull(strstr(c->warnings[0], "encryption_key_file: everybody"));
	config_free(&c);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(the_key_may_stand_in_the_environment)
{
	setenv("GATEHOUSE_TEST_KEY", "from the environment", 1);
	struct config *c = conf_load_good(
	    MINIMAL SERVICE("encryption_key = \"${GATEHOUSE_TEST_KEY}\""));
	ck_assert(is(c->token_service->encryption_key, "from the environment"));
	config_free(&c);
}
END_TEST

static const struct {
	const char	*text;
	const char	*word;
} weak[] = {
	{ SERVICE(KEY "lifetime = 90000"), "lifetime: a stolen token works for 25 hours" },
	{ SERVICE(KEY "token_rate = \"\""), "token_rate: a consumer may have any number" },
	{ SERVICE(KEY "auth_failures = \"\""), "auth_failures: secrets of clients may be" },
	{ DATABASE "token_service { issuer = \"http://self.test\" audience = {\"x\"} " KEY "}",
	    "issuer: clients are told to send their secrets without TLS" },
};

START_TEST(weakness_is_told)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s\n", MINIMAL, weak[_i].text);
	struct config *c = conf_load_good(text);
	ck_assert_uint_eq(c->n_warnings, 1);
	ck_assert_msg(strstr(c->warnings[0], ":6: token_service.") != NULL &&
	    strstr(c->warnings[0], weak[_i].word) != NULL, "%s", c->warnings[0]);
	config_free(&c);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf_token_service");
	TCase *tcase = tcase_create("conf_token_service");

	tcase_add_test(tcase, defaults_are_safe);
	tcase_add_test(tcase, everything_arrives);
	tcase_add_test(tcase, it_is_the_issuer_self);
	tcase_add_test(tcase, it_may_be_the_only_issuer);
	tcase_add_test(tcase, an_empty_section_asks_for_nothing);
	tcase_add_test(tcase, the_key_may_stand_in_a_file);
	tcase_add_test(tcase, the_key_may_stand_in_the_environment);
	tcase_add_loop_test(tcase, weakness_is_told, 0, sizeof(weak) / sizeof(weak[0]));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
