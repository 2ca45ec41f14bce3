/*
 * Good configurations: every value arrives where it belongs, and what weakens a check is told.
 */
#include "conf_support.h"

#include <sys/stat.h>

#include "gateway/base/span.h"

static bool
is(struct span s, const char *text)
{
	return span_eq(s, span_of(text));
}

START_TEST(an_issuer_can_be_asked)
{
	struct config *c = conf_load_good(LISTEN UPSTREAM
	    "route \"r\" { upstream = \"u\" max_staleness = 0 stale_if_error = 30 }\n"
	    "issuer \"a\" { issuer = \"https://a.test\" audience = {\"x\"} validate = both\n"
	    "backchannel_logout = \"/logout/a\" introspection { endpoint = \"https://a.test/i\"\n"
	    "client_id = \"gate\" client_secret = \"s\" auth = post revalidate = 1 } }\n"
	    "issuer \"b\" { issuer = \"anything\" audience = {\"x\"} validate = introspect\n"
	    "introspection { endpoint = \"https://b.test/i\" client_id = \"g\"\n"
	    "client_secret = \"s\" timeout = 0.5 rate = \"\" introspection_ttl = 600 } }\n");
	const struct config_issuer *a = &c->issuers[0], *b = &c->issuers[1];

	ck_assert(a->validate == VALIDATE_BOTH && a->needs_keys);
	ck_assert(a->introspection.auth == INTROSPECTION_AUTH_POST);
	ck_assert_uint_eq(a->introspection.revalidate_s, 1);
	ck_assert_str_eq(a->introspection.client_id, "gate");
	ck_assert_str_eq(a->backchannel_logout, "/logout/a");
	ck_assert(a->n_logout_audience == 1 && span_eq(a->logout_audience[0], SPAN("gate")));
	ck_assert(b->validate == VALIDATE_INTROSPECT && !b->needs_keys);
	ck_assert_uint_eq(b->introspection.timeout_ms, 500);
	ck_assert_uint_eq(b->introspection.rate_count, 0);
	ck_assert(c->routes[0].max_staleness_s == 0 && c->routes[0].stale_if_error_s == 30);
	/*
	 * of a: logouts are lost with the gateway; of b: answers are believed for ten minutes,
	 * calls are not limited; of r: both are asked
	 */
	ck_assert_uint_eq(c->n_warnings, 4);
	config_free(&c);
}
END_TEST

START_TEST(the_shortest_is_safe)
{
	struct config *c = conf_load_good(MINIMAL);
	const struct config_issuer *i = &c->issuers[0];
	const struct config_route *r = &c->routes[0];

	ck_assert_uint_ge(c->workers, 1);
	ck_assert_uint_eq(c->n_warnings, 0);
	ck_assert(c->admin == NULL && !c->user_given);
	ck_assert_str_eq(c->user, "gatehouse");
	ck_assert_int_eq(c->log_level, LOG_LEVEL_NOTICE);
	ck_assert_uint_eq(c->client.max_head, 16384);
	ck_assert_uint_eq(c->client.header_timeout_ms, 10000);
	ck_assert_uint_eq(c->shared_memory.token_cache, 64 << 20);
	ck_assert(i->n_algorithms == 5 && !i->any_audience && i->n_audience == 1);
	ck_assert(is(i->audience[0], "x"));
	ck_assert_str_eq(i->algorithms[3], "EdDSA");
	ck_assert_str_eq(i->algorithms[4], "Ed25519");
	ck_assert(i->n_token_types == 3 && is(i->token_types[0], "at+jwt"));
	ck_assert(is(i->token_types[1], "jwt") && is(i->token_types[2], ""));
	ck_assert_uint_eq(i->max_token, 8192);
	ck_assert(r->upstream == &c->upstreams[0] && r->n_issuers == 1 && r->issuers[0] == i);
	ck_assert(!r->anonymous && r->n_paths == 1 && is(r->paths[0], "/") && r->rate_count == 0);
	ck_assert_uint_eq(r->max_body, 10 << 20);
	ck_assert_uint_eq(c->upstreams[0].health_check.interval_ms, 2000);
	config_free(&c);
}
END_TEST

START_TEST(everything_arrives)
{
	struct config *c = conf_load_good(
	    "workers = 3 access_log = \"off\" error_log = './x' log_level = debug\n"
	    "drain_timeout = 2.5 ratelimit_headers = kong max_connections = 17 pid_file = "
	    "\"g.pid\"\n"
	    "trusted_proxies = {\"10.0.0.0/8\", \"::1\"}\n"
	    "listen \"[::1]:8080\" { }\nadmin \"127.0.0.1:8081\" { }\n"
	    "client { idle_timeout = 0.5 }\nclient { max_headers = 9 }\n" ISSUER
	    "issuer \"b\" {\n issuer = \"urn:b\" audience = {\"y\", \"z\"} jwks_file = "
	    "\"/etc/hostname\"\n"
	    " token_types = {\"application/AT+JWT\"} algorithms = {ES512, HS256} leeway = 0\n"
	    " consumer_claim = \"azp\" scope_claim = \"roles\" jwks_refresh = 60 jwks_cooldown = 7\n"
	    " claim_headers = {\"c.d=X-D\", \"e=X-E\"}\n"
	    " unknown_consumers = refuse consumers = {\"app\", \"other app\"} }\n"
	    "upstream \"u\" { servers = {\"http://[::1]:3000/\", \"http://127.0.0.1\"}\n"
	    " balance = consistent_hash retries = 0 health_check { path = \"/up\" timeout = 0.2 } "
	    "}\n"
	    "route \"r\" { hosts = {\"API.test\", \"*.a.test\"} paths = {\"/v1/\", "
	    "\"/caf%C3%A9\"}\n"
	    " methods = {GET, POST} strip_path = yes preserve_host = on upstream = u issuers = "
	    "{b}\n"
	    " scopes = {\"a\", \"b\"} audience = {\"z\"} hide_credentials = true\n"
	    " rate = \"5/m\" rate_burst = 2\n"
	    " rate_by = ip max_body = 0 claim_headers = {\"a.b=X-B\"} realm = \"shop\"\n"
	    " resource = \"https://api.test:8443/v1/\" }\n");
	const struct config_issuer *i = &c->issuers[1];
	const struct config_upstream *u = &c->upstreams[0];
	const struct config_route *r = &c->routes[0];

	ck_assert_uint_eq(c->workers, 3);
	ck_assert_str_eq(c->access_log, "off");
	ck_assert(c->log_level == LOG_LEVEL_DEBUG && c->drain_timeout_ms == 2500);
	ck_assert(c->ratelimit_headers == RATELIMIT_HEADERS_KONG && c->max_connections == 17);
	ck_assert(c->n_trusted_proxies == 2 && c->trusted_proxies[0].bits == 104);
	ck_assert(c->listens[0].address.ss_family == AF_INET6 && c->listens[0].line == 4);
	ck_assert_str_eq(c->admin->name, "127.0.0.1:8081");
	ck_assert(c->client.idle_timeout_ms == 500 && c->client.max_headers == 9);
	ck_assert(
	    i->line == 9 && i->n_audience == 2 && i->leeway_s == 0 && i->jwks_cooldown_s == 7);
	ck_assert(i->n_token_types == 1 && is(i->token_types[0], "at+jwt"));
	ck_assert_str_eq(i->algorithms[1], "HS256");
	ck_assert_str_eq(i->scope_claim, "roles");
	ck_assert(c->issuers[0].unknown_consumers == UNKNOWN_CONSUMERS_ALLOW);
	ck_assert(i->unknown_consumers == UNKNOWN_CONSUMERS_REFUSE && i->n_consumers == 2);
	ck_assert(is(i->consumers[1], "other app"));
	ck_assert_uint_eq(i->n_claim_headers, 2);
	ck_assert_str_eq(i->claim_headers[0].claim, "c.d");
	ck_assert_str_eq(i->claim_headers[1].header, "X-E");
	ck_assert(u->balance == BALANCE_CONSISTENT_HASH && u->retries == 0 && u->n_servers == 2);
	ck_assert_str_eq(u->servers[0].authority, "[::1]:3000");
	ck_assert_str_eq(u->servers[1].authority, "127.0.0.1");
	ck_assert(u->servers[0].id != u->servers[1].id && u->health_check.timeout_ms == 200);
	ck_assert(
	    is(r->hosts[0], "api.test") && is(r->paths[0], "/v1") && is(r->methods[1], "POST"));
	ck_assert(r->strip_path && r->preserve_host && r->hide_credentials && r->issuers[0] == i);
	ck_assert(r->rate_count == 5 && r->rate_period_us == 60000000 && r->rate_burst == 2);
	ck_assert(r->rate_by == RATE_BY_IP && r->max_body == 0);
	ck_assert_str_eq(r->claim_headers[0].claim, "a.b");
	ck_assert_str_eq(r->claim_headers[0].header, "X-B");
	ck_assert_str_eq(r->realm, "shop");
	ck_assert_str_eq(r->resource, "https://api.test:8443/v1/");
	config_free(&c);
}
END_TEST

/* RFC 9728 section 3.1, with its own examples. */
START_TEST(where_the_metadata_of_a_resource_are)
{
	static const struct { const char *resource, *metadata; } rows[] = {
		{ "", "" },
		{ "https://resource.example.com",
		    "https://resource.example.com/.well-known/oauth-protected-resource" },
		{ "https://resource.example.com/",
		    "https://resource.example.com/.well-known/oauth-protected-resource" },
		{ "https://resource.example.com/resource1",
		    "https://resource.example.com/.well-known/oauth-protected-resource/resource1" },
		{ "https://[2001:db8::1]:8443/a/", "https://[2001:db8::1]:8443/.well-known/"
		    "oauth-protected-resource/a/" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text), LISTEN ISSUER UPSTREAM "route \"r\" { upstream = \"u\" "
		    "resource = \"%s\" }\n", rows[i].resource);
		struct config *c = conf_load_good(text);
		ck_assert_str_eq(c->routes[0].resource_metadata, rows[i].metadata);
		ck_assert_uint_eq(c->n_warnings, 0);
		config_free(&c);
	}
}
END_TEST

static const char *
parameter(const struct config_database *d, const char *keyword)
{
	for (size_t i = 0; d->keywords[i] != NULL; i++)
		if (strcmp(d->keywords[i], keyword) == 0)
			return d->values[i];
	return NULL;
}

START_TEST(the_database)
{
	setenv("PGHOST", "elsewhere.invalid", 1);
	setenv("PGSSLMODE", "disable", 1);
	struct config *c = conf_load_good(MINIMAL
	    "database { url = \"postgresql://joe:secret@[::1]:6432,localhost/gate\"\n"
	    "connections = 7 timeout = 0.5 }\n");
	const struct config_database *d = c->database;

	ck_assert(c->n_warnings == 0 && d->connections == 7 && d->timeout_ms == 500);
	ck_assert_str_eq(parameter(d, "hostaddr"), "::1,127.0.0.1");
	ck_assert_str_eq(parameter(d, "host"), "::1,localhost");
	ck_assert_str_eq(parameter(d, "dbname"), "gate");
	ck_assert_str_eq(parameter(d, "password"), "secret");
	ck_assert_str_eq(parameter(d, "sslmode"), "disable");
	ck_assert_str_eq(parameter(d, "gssencmode"), "disable");
	config_free(&c);
	unsetenv("PGHOST");
	unsetenv("PGSSLMODE");
	c = conf_load_good(MINIMAL "database { url = \"host=/run/pg user=joe\" }\n");
	ck_assert_str_eq(parameter(c->database, "host"), "/run/pg");
	ck_assert_ptr_null(parameter(c->database, "hostaddr"));
	config_free(&c);
	c = conf_load_good(MINIMAL "database { connections = 2 }\n");
	ck_assert_ptr_null(c->database);
	config_free(&c);
}
END_TEST

START_TEST(paths_begin_at_the_file)
{
	const char *path = conf_write("keys.json", "{}", 2);
	char keys[160];

	snprintf(keys, sizeof(keys), "%s", path);
	path = conf_write("test.conf", "", 0);
	FILE *file = fopen(path, "we");
	fputs(LISTEN UPSTREAM ROUTE "issuer \"a\" { issuer = \"urn:a\" audience = {\"x\"} "
	    "jwks_file = \"keys.json\" }\n", file);
	fclose(file);
	struct config *c = config_load(path, conf_error, sizeof(conf_error));
	ck_assert_msg(c != NULL, "%s", conf_error);
	ck_assert_str_eq(c->issuers[0].jwks_file, keys);
	ck_assert_str_eq(c->access_log, "-");
	config_free(&c);
	unlink(keys);
	unlink(path);
	rmdir(conf_folder);
}
END_TEST

START_TEST(environment_variables)
{
	setenv("GATEHOUSE_TEST_REALM", "a {b} # c", 1);
	setenv("GATEHOUSE_TEST_EMPTY", "", 1);
	struct config *c = conf_load_good(MINIMAL
	    "log_level = ${GATEHOUSE_TEST_NONE:-warn} access_log = '${off}'\n"
	    "route \"e\" { upstream = \"u\" paths = {\"/e\"} realm = \"x${GATEHOUSE_TEST_EMPTY}y "
	    "${GATEHOUSE_TEST_REALM} \\${no}\" }\n");

	ck_assert_int_eq(c->log_level, LOG_LEVEL_WARN);
	ck_assert_str_eq(strrchr(c->access_log, '/') + 1, "${off}");
	ck_assert_str_eq(c->routes[1].realm, "xy a {b} # c ${no}");
	config_free(&c);
}
END_TEST

/* What is legal but weak: a line to add to the shortest file, and a word of its warning. */
static const struct {
	const char	*text;
	const char	*word;
} weak[] = {
    {"database { url = \"host=192.0.2.1\" }", "database.url: nothing proves"},
    {"issuer \"b\" { issuer = \"https://b\" audience = {\"*\"} }", "issuer \"b\": audience: \"*\""},
    {"issuer \"b\" { issuer = \"https://b\" audience = {\"x\"} leeway = 61 }", "leeway: 61 s"},
    {"issuer \"b\" { issuer = \"https://b\" audience = {\"x\"} algorithms = {HS256} }",
	"can make tokens"},
    {"issuer \"b\" { issuer = \"https://b.test\" audience = {\"x\"} consumers = {\"c\"} }",
	"consumers: they say nothing unless"},
    {"issuer \"b\" { issuer = \"http://b.test\" audience = {\"x\"} }",
	"issuer: keys are fetched without TLS"},
    {"issuer \"b\" { issuer = \"urn:b\" audience = {\"x\"} jwks_uri = \"http://b.test/\" }",
	"without TLS"},
    {"route \"s\" { upstream = \"u\" paths = {\"/s\"} anonymous = true }",
	"anonymous: requests without"},
    {"issuer \"w\" { issuer = \"https://w.test\" audience = {\"x\"} token_types = {\"at+jwt\", "
     "\"logout+jwt\"} }", "token_types: \"logout+jwt\""},
    {"route \"s\" { upstream = \"u\" paths = {\"/s\"} resource = \"http://s.test\" }",
	"resource: it is not https"},
    {"trusted_proxies = {\"0.0.0.0/0\"}", "trusted_proxies: \"0.0.0.0/0\""},
    {"trusted_proxies = {\"::/0\"}", "trusted_proxies: \"::/0\""},
    {"admin \"0.0.0.0:0\" { }", "other machines can reach it"},
};

START_TEST(weakness_is_told)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s\n", MINIMAL, weak[_i].text);
	struct config *c = conf_load_good(text);
	ck_assert_uint_eq(c->n_warnings, 1);
	ck_assert_msg(strstr(c->warnings[0], ":5: ") != NULL &&
	    strstr(c->warnings[0], weak[_i].word) != NULL, "%s", c->warnings[0]);
	config_free(&c);
}
END_TEST

/* Whoever can write keys can make tokens. */
START_TEST(keys_that_anybody_can_write_are_told)
{
	char text[1024], path[] = "/tmp/gatehouse-keys-XXXXXX";
	int fd = mkstemp(path);
	static const struct {
		mode_t	mode;
		size_t	warnings;
	} rows[] = { { 0644, 0 }, { 0640, 0 }, { 0646, 1 }, { 0666, 1 } };

	ck_assert_int_ge(fd, 0);
	snprintf(text, sizeof(text), MINIMAL "issuer \"w\" { issuer = \"urn:w\" "
	    "audience = {\"x\"}\n jwks_file = \"%s\" }\n", path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(fchmod(fd, rows[i].mode), 0);
		struct config *c = conf_load_good(text);
		ck_assert_uint_eq(c->n_warnings, rows[i].warnings);
		ck_assert(c->n_warnings == 0 || strstr(c->warnings[0], "jwks_file: ") != NULL);
		config_free(&c);
	}
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(loopback_needs_no_tls)
{
	struct config *c = conf_load_good(LISTEN UPSTREAM ROUTE
	    "issuer \"a\" { issuer = \"urn:a\" audience = {\"x\"}\n"
	    " jwks_uri = \"http://127.0.0.1:1/jwks\" }\n"
	    "issuer \"b\" { issuer = \"http://localhost:2\" audience = {\"x\"} }\n");

	ck_assert_uint_eq(c->n_warnings, 0);
	config_free(&c);
}
END_TEST

/* ---- fingerprints ---- */

static void
fingerprints(const char *inside, const char *route, uint64_t *id, uint64_t *rules)
{
	char text[2048];

	snprintf(text, sizeof(text), LISTEN UPSTREAM
	    "issuer \"a\" { issuer = \"https://a.test\" audience = {\"x\"} %s }\n"
	    "route \"r\" { upstream = \"u\" %s }\n", inside, route);
	struct config *c = conf_load_good(text);
	*id = c->issuers[0].id;
	*rules = c->issuers[0].rules;
	config_free(&c);
}

START_TEST(rules_change_with_what_decides)
{
	static const char *const decides[] = { "leeway = 6", "algorithms = {RS256}",
		"token_types = {\"jwt\"}", "consumer_claim = \"c\"", "scope_claim = \"s\"",
		"max_token = \"4K\"", "claim_headers = {\"email=X-Mail\"}", "audience += {\"y\"}",
		"jwks_uri = \"https://b\"" };
	static const char *const others[] = { "unknown_consumers = refuse consumers = {\"c\"}",
		"leeway = 5", "jwks_refresh = 9", "jwks_cooldown = 9",
		"validate = local" };
	uint64_t id, rules, other_id, other_rules;

	fingerprints("", "", &id, &rules);
	for (size_t i = 0; i < sizeof(decides) / sizeof(decides[0]); i++) {
		fingerprints(decides[i], "", &other_id, &other_rules);
		ck_assert_msg(rules != other_rules, "%s", decides[i]);
		ck_assert_int_eq(id == other_id, strncmp(decides[i], "jwks", 4) != 0);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fingerprints(others[i], "scopes = {\"x\"}", &other_id, &other_rules);
		ck_assert_msg(id == other_id && rules == other_rules, "%s", others[i]);
	}
	fingerprints("", "claim_headers = {\"email=X-Mail\"}", &other_id, &other_rules);
	ck_assert(id == other_id && rules != other_rules);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf_config");
	TCase *tcase = tcase_create("conf_config");

	tcase_add_test(tcase, an_issuer_can_be_asked);
	tcase_add_test(tcase, the_shortest_is_safe);
	tcase_add_test(tcase, everything_arrives);
	tcase_add_test(tcase, where_the_metadata_of_a_resource_are);
	tcase_add_test(tcase, the_database);
	tcase_add_test(tcase, paths_begin_at_the_file);
	tcase_add_test(tcase, environment_variables);
	tcase_add_loop_test(tcase, weakness_is_told, 0, sizeof(weak) / sizeof(weak[0]));
	tcase_add_test(tcase, keys_that_anybody_can_write_are_told);
	tcase_add_test(tcase, loopback_needs_no_tls);
	tcase_add_test(tcase, rules_change_with_what_decides);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
