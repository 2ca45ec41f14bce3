/*
 * Broken configurations: each is refused, at the right line, with a word that helps.
 */
#include "conf_support.h"
#include "gateway/base/text.h"

#define MAIN	"\1"
#define CLIENT	"\2"
#define ISSUER_	"\3"
#define UP	"\4"
#define ROUTE_	"\5"

/* A token service with the database it needs, on the line below. */
#define SERVICE(inside)	"database { url = \"postgresql://127.0.0.1/x\" }\n" \
	"token_service { " inside " }"
#define ISS	"issuer = \"https://self.test\" "
#define KEY	" encryption_key = \"0123456789abcdef\" "
#define GOOD	ISS "audience = {\"x\"}" KEY

/* A good file with five places, each on a line of its own, where a mistake may stand. */
static const char frame[] =
    LISTEN			/* 1 */
    "# a comment\n"		/* 2 */
    "\1\n"			/* 3 */
    "client {\n"		/* 4 */
    "\2\n"			/* 5 */
    "}\n"			/* 6 */
    "/* more\n"			/* 7 */
    "   comment */\n"		/* 8 */
    "issuer \"a\" { issuer = \"https://a.test\" audience = {\"x\"} // so\n"	/* 9 */
    "\3\n"			/* 10 */
    "}\n"			/* 11 */
    "upstream \"u\" { servers = {\"http://127.0.0.1:3000\"}\n"			/* 12 */
    "\4\n"			/* 13 */
    "}\n"			/* 14 */
    "route \"r\" { upstream = \"u\"\n"	/* 15 */
    "\5\n"			/* 16 */
    "}\n";

static const int lines[] = { 0, 3, 5, 10, 13, 16 };

/* One mistake: where, what, a line to add to that of the place, and words of the error. */
static const struct {
	const char	*place;
	const char	*text;
	int		 below;
	const char	*words[2];
} mistakes[] = {
	{ MAIN, "frobnicate = 1", 0, { "frobnicate", "unknown directive" } },
	{ MAIN, "worker = 1", 0, { "unknown directive", "did you mean workers?" } },
	{ MAIN, "leeway = 1", 0, { "unknown directive", "in a section issuer" } },
	{ MAIN, "workers = many", 0, { "workers: \"many\"", "a number from 0 to 63" } },
	{ MAIN, "workers = 64", 0, { "workers: 64 is out of bounds", "63" } },
	{ MAIN, "workers = -1", 0, { "workers: \"-1\"", "accepted" } },
	{ MAIN, "workers = 1.5", 0, { "workers: \"1.5\"", "accepted" } },
	{ MAIN, "workers = \"\"", 0, { "workers: \"\"", "accepted" } },
	{ MAIN, "workers = {1, 2}", 0, { "unexpected token", "name = value" } },
	{ MAIN, "workers 4", 0, { "missing equal sign", "workers" } },
	{ MAIN, "\nworkers =\n\n= 3", 3, { "unexpected token '='", "" } },
	{ MAIN, "workers = 1\nworkers = 2", 1, { "workers: it is given twice", "line 3" } },
	{ MAIN, "log_level = \"loud\"", 0,
	    { "log_level: \"loud\"", "error, warn, notice, info or debug" } },
	{ MAIN, "log_level = \"Notice\"", 0, { "log_level: \"Notice\"", "" } },
	{ MAIN, "error_log = \"off\"", 0, { "error_log", "\"-\"" } },
	{ MAIN, "error_log = \"/no/such/folder/x\"", 0, { "error_log", "No such file" } },
	{ MAIN, "pid_file = \"/no/such/folder/x\"", 0, { "pid_file", "No such file" } },
	{ MAIN, "pid_file = \"-\"", 0, { "pid_file", "a path" } },
	{ MAIN, "trusted_proxies = {\"10.0.0.1/8\"}", 0, { "trusted_proxies", "10.0.0.1/8" } },
	{ MAIN, "access_log = \"${GATEHOUSE_TEST_UNSET}\"", 0,
	    { "GATEHOUSE_TEST_UNSET is not set", ":-" } },
	{ MAIN, "access_log = ${GATEHOUSE_TEST_UNSET}", 0,
	    { "GATEHOUSE_TEST_UNSET is not set", ":-" } },
	{ MAIN, "access_log = \"${OPEN\"", 0, { "no closing brace", "" } },
	{ MAIN, "access_log = \"a\\0b\"", 0, { "NUL", "" } },
	{ MAIN, "access_log = \"a\\x00b\"", 0, { "NUL", "" } },
	{ MAIN, "access_log = \"a\\nb\"", 0, { "access_log", "control character" } },
	{ MAIN, "access_log = \"\\400\"", 0, { "invalid octal", "" } },
	{ MAIN, "access_log = /tmp/ ", 0, { "'/' stands outside of quotes", "" } },
	{ MAIN, "access_log = a*", 0, { "'*' stands outside of quotes", "" } },
	{ MAIN, "client|max_headers = 7", 0, { "'|' stands outside of quotes", "" } },
	{ MAIN, "workers = +7", 0, { "'+' stands outside of quotes", "" } },
	{ MAIN, "\x01", 0, { "control character", "\\x01" } },
	{ MAIN, "}", 0, { "unexpected closing brace", "" } },
	{ MAIN, "listen { }", 0, { "missing title", "listen" } },
	{ MAIN, "listen \"8080\" { }", 0, { "listen \"8080\"", "127.0.0.1:8080" } },
	{ MAIN, "listen \"127.0.0.1:99999\" { }", 0, { "the port", "65535" } },
	{ MAIN, "listen \"example.test:80\" { }", 0, { "no IP address", "" } },
	{ MAIN, "listen \"127.0.0.1:0\" { }", 0, { "127.0.0.1:0", "each title once" } },
	{ MAIN, "listen \"0.0.0.0:81\" { } listen \"*:81\" { }", 0, { "is taken", "line 3" } },
	{ MAIN, "listen \"127.0.0.1:81\" { } admin \"127.0.0.1:81\" { }", 0,
	    { "is taken", "admin" } },
	{ MAIN, "admin \"127.0.0.1:0\" { } admin \"127.0.0.2:0\" { }", 0,
	    { "another admin", "at most one" } },
	{ MAIN, "listen \"127.0.0.1:443\" { certificate = \"x\" }", 0,
	    { "certificate", "TLS is not there" } },
	{ MAIN, "database { url = \"x\" }", 0, { "database.url", "connection string" } },
	{ MAIN, "database { url = \"\" }", 0, { "database.url", "it is empty" } },
	{ MAIN, "database { url = \"service=x\" }", 0, { "database.url", "service" } },
	{ MAIN, "database { url = \"host=no.such.invalid\" }", 0,
	    { "database.url: the address of", "\"no.such.invalid\" can't be found" } },
	{ MAIN, "database { connections = 0 }", 0, { "database.connections", "from 1 to 1000" } },
	{ MAIN, "token_service { issuer = \"https://own.test\" }", 0,
	    { "token_service", "needs a database section with a url" } },
	{ MAIN, SERVICE("audience = {\"x\"}" KEY), 1,
	    { "token_service.issuer: it is missing", "URL" } },
	{ MAIN, SERVICE(ISS KEY), 1, { "token_service.audience: it is missing", "orders-api" } },
	{ MAIN, SERVICE(ISS KEY "audience = {\"*\"}"), 1, { "audience: a member is empty or", "" } },
	{ MAIN, SERVICE(ISS "audience = {\"x\"}"), 1,
	    { "encryption_key: it is missing", "openssl rand" } },
	{ MAIN, SERVICE(ISS "audience = {\"x\"} encryption_key = \"short\""), 1,
	    { "encryption_key: it has fewer than 16", "openssl rand" } },
	{ MAIN, SERVICE(GOOD "encryption_key_file = \"/dev/null\""), 1,
	    { "encryption_key_file: there is an encryption_key too", "" } },
	{ MAIN, SERVICE(ISS "audience = {\"x\"} encryption_key_file = \"/no/such\""), 1,
	    { "encryption_key_file: /no/such can't be read: No such", "" } },
	{ MAIN, SERVICE(ISS "audience = {\"x\"} encryption_key_file = \"/dev/null\""), 1,
	    { "encryption_key_file: it has fewer than 16", "" } },
	{ MAIN, SERVICE("issuer = \"shop\" audience = {\"x\"}" KEY), 1,
	    { "token_service.issuer: ", "without a query" } },
	{ MAIN, SERVICE("issuer = \"https://a.test/?x\" audience = {\"x\"}" KEY), 1,
	    { "token_service.issuer: it has a query", "" } },
	{ MAIN, SERVICE("issuer = \"https://a.test\" audience = {\"x\"}" KEY), 1,
	    { "token_service.issuer: issuer \"a\" (line 10) has the same", "" } },
	{ MAIN, SERVICE(GOOD "path = \"oauth2\""), 1, { "path: \"oauth2\"", "begins with" } },
	{ MAIN, SERVICE(GOOD "path = \"/\""), 1, { "path", "" } },
	{ MAIN, SERVICE(GOOD "path = \"/a/\""), 1, { "path: \"/a/\"", "" } },
	{ MAIN, SERVICE(GOOD "path = \"/a//b\""), 1, { "path: \"/a//b\"", "" } },
	{ MAIN, SERVICE(GOOD "path = \"/a/../b\""), 1, { "path: \"/a/../b\"", "" } },
	{ MAIN, SERVICE(GOOD "path = \"/a%2fb\""), 1, { "path: \"/a%2fb\"", "" } },
	{ MAIN, SERVICE(GOOD "signing = \"HS256\""), 1, { "signing", "ES256, RS256 or EdDSA" } },
	{ MAIN, SERVICE(GOOD "lifetime = 2678401"), 1, { "lifetime: 2678401 is out", "2678400" } },
	{ MAIN, SERVICE(GOOD "reuse = 1.5"), 1, { "reuse: 1.5 is out of bounds", "from 0 to 1" } },
	{ MAIN, SERVICE(GOOD "token_rate = \"30\""), 1, { "token_rate", "100/s" } },
	{ MAIN, "shared_memory { token_cache = \"1K\" }", 0,
	    { "shared_memory.token_cache", "from 1M" } },
	{ MAIN, "client = 3", 0, { "missing opening brace", "client" } },
	{ MAIN, "issuer \"b\" { issuer = \"https://b.test\" }", 0,
	    { "issuer \"b\": audience", "missing" } },
	{ MAIN, "issuer \"b\" {\n audience = {\"x\"}\n}", 0,
	    { "issuer \"b\": issuer", "missing" } },
	{ MAIN, "issuer \"self\" { issuer = \"https://b.test\" audience = {\"x\"} }", 0,
	    { "self", "kept" } },
	{ MAIN, "issuer \"b c\" { issuer = \"https://b.test\" audience = {\"x\"} }", 0,
	    { "name", "letters" } },
	{ MAIN, "upstream \"v\" { }", 0, { "upstream \"v\": servers", "missing" } },
	{ MAIN, "route \"s\" { paths = {\"/s\"} }", 0, { "route \"s\": upstream", "missing" } },
	{ MAIN, "route \"s\" { upstream = \"w\" paths = {\"/s\"} }", 0,
	    { "no upstream \"w\"", "\"u\"" } },

	{ CLIENT, "max_head = \"16Q\"", 0, { "client.max_head: \"16Q\"", "a size from 1K to 1M" } },
	{ CLIENT, "max_head = \"2M\"", 0, { "client.max_head: 2M is out of bounds", "" } },
	{ CLIENT, "header_timeout = 0", 0, { "client.header_timeout", "seconds, 0.001 to 3600" } },
	{ CLIENT, "header_timeout = 10s", 0, { "client.header_timeout: \"10s\"", "" } },
	{ CLIENT, "max_target = \"512K\"", 0, { "max_target: it is larger", "" } },
	{ CLIENT, "max_heads = 1", 0, { "client.max_heads", "did you mean max_head?" } },

	{ ISSUER_, "algorithms = {\"none\"}", 0, { "algorithms: \"none\"", "RS256" } },
	{ ISSUER_, "algorithms = {\"RS256\", \"rs256\"}", 0, { "algorithms: \"rs256\"", "" } },
	{ ISSUER_, "algorithms = {}", -1, { "algorithms: the list is empty", "" } },
	{ ISSUER_, "algorithms = {\"RS256\" \"ES256\"}", 0, { "unexpected token 'ES256'", "" } },
	{ ISSUER_, "audience = {\"y\"}", 0, { "audience: it is given twice", "line 9" } },
	{ ISSUER_, "audience += {\"*\"}", -1, { "\"*\" does not stand alone", "" } },
	{ ISSUER_, "unknown_consumers = refuse", 0,
	    { "unknown_consumers: no consumer is known", "a database section" } },
	{ ISSUER_, "unknown_consumers = \"deny\"", 0, { "unknown_consumers", "allow or refuse" } },
	{ ISSUER_, "consumers = {\"a\", \"\"} unknown_consumers = refuse", 0,
	    { "consumers: a member is empty", "" } },
	{ ISSUER_, "claim_headers = {\"sub=X-Consumer-ID\"}", 0,
	    { "issuer \"a\": claim_headers", "of its own" } },
	{ ISSUER_, "claim_headers = {\"sub=X-A\", \"iss=X_A\"}", 0, { "two claims", "X_A" } },
	{ ISSUER_, "validate = \"remote\"", 0, { "validate", "local, introspect or both" } },
	{ ISSUER_, "validate = \"both\" introspection { client_secret = \"s\" }", -1,
	    { "introspection.client_id", "it is missing" } },
	{ ISSUER_, "validate = \"introspect\" introspection { client_id = \"g\" }", -1,
	    { "introspection.client_secret", "it is missing" } },
	{ ISSUER_, "validate = \"introspect\" introspection { client_id = \"g\" auth = "
	    "\"private_key_jwt\" }", -1, { "introspection.private_key_file", "it is missing" } },
	{ ISSUER_, "validate = \"both\" introspection { client_id = \"g\" client_secret = "
	    "\"s\" endpoint = \"x\" }", 0, { "introspection.endpoint", "accepted: https://" } },
	{ ISSUER_, "introspection { auth = \"none\" }", 0,
	    { "introspection.auth", "basic, post or private_key_jwt" } },
	{ ISSUER_, "backchannel_logout = \"/logout/\"", 0, { "backchannel_logout", "a path" } },
	{ ISSUER_, "backchannel_logout = \"/logout\"", 0, { "backchannel_logout", "no logout_audience" } },
	{ ISSUER_, "backchannel_logout = \"/logout\" logout_audience = {\"*\"}", 0,
	    { "logout_audience", "a member is empty" } },
	{ ISSUER_, "backchannel_logout = \"/out\" logout_audience = {\"g\"} } issuer \"j\" { issuer = "
	    "\"https://j.test\" audience = {\"x\"} backchannel_logout = \"/out\" logout_audience = "
	    "{\"g\"}", 0, { "backchannel_logout", "the same path" } },
	{ ISSUER_, "validate = \"never\"", 0, { "validate: \"never\"", "local" } },
	{ ISSUER_, "jwks_uri = \"keys\"", 0, { "jwks_uri", "https://" } },
	{ ISSUER_, "jwks_uri = \"https://u:p@a.test/\"", 0, { "jwks_uri", "user name" } },
	{ ISSUER_, "jwks_file = \"gone.json\"", 0, { "jwks_file", "gone.json can't be read" } },
	{ ISSUER_, "jwks_file = \"/\"", 0, { "jwks_file", "is no file" } },
	{ ISSUER_, "ca_file = \"gone.pem\"", 0, { "ca_file", "can't be read" } },
	{ ISSUER_, "jwks_uri = \"https://a.test/\"\njwks_file = \"/dev/null\"", 1,
	    { "jwks_file", "jwks_uri" } },
	{ ISSUER_, "leeway = 1.5", 0, { "leeway: \"1.5\"", "whole seconds" } },
	{ ISSUER_, "leeway = 99999", 0, { "leeway: 99999 is out of bounds", "" } },
	{ ISSUER_, "max_token = \"1M\"", 0, { "max_token", "64K" } },

	{ UP, "servers = {\"http://127.0.0.1:1\"}", 0,
	    { "servers: it is given twice", "line 12" } },
	{ UP, "servers += {\"https://127.0.0.1:1\"}", -1,
	    { "https is not supported yet", "http://host" } },
	{ UP, "servers += {\"127.0.0.1:1\"}", -1, { "servers", "http://host:port" } },
	{ UP, "servers += {\"http://127.0.0.1:1/api\"}", -1, { "there is a path", "" } },
	{ UP, "servers += {\"http://127.0.0.1:0\"}", -1, { "the port", "" } },
	{ UP, "servers += {\"http://127.0.0.1:3000\"}", -1, { "is there twice", "" } },
	/* a label this long is refused without asking anybody */
	{ UP, "servers += {\"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaa.test\"}", -1, { "can't be found", "aaa.test" } },
	{ UP, "balance = \"fair\"", 0,
	    { "balance: \"fair\"", "round_robin, least_connections or" } },
	{ UP, "retries = 17", 0, { "retries", "from 0 to 16" } },
	{ UP, "health_check { path = \"healthz\" }", 0, { "health_check.path", "no path" } },
	{ UP, "health_check { paths = \"/\" }", 0, { "health_check.paths", "did you mean path?" } },

	{ ROUTE_, "paths = {\"orders\"}", 0,
	    { "route \"r\": paths: \"orders\"", "begin with \"/\"" } },
	{ ROUTE_, "paths = {}", -1, { "paths: the list is empty", "" } },
	{ ROUTE_, "paths = {\"/a/../b\"}", 0, { "paths", "dot segment" } },
	{ ROUTE_, "paths = {\"/a/.\"}", 0, { "paths", "dot segment" } },
	{ ROUTE_, "paths = {\"/a//b\"}", 0, { "paths", "two slashes" } },
	{ ROUTE_, "paths = {\"//\"}", 0, { "paths", "two slashes" } },
	{ ROUTE_, "paths = {\"/%61\"}", 0, { "paths", "needs no escape" } },
	{ ROUTE_, "paths = {\"/a%2Fb\"}", 0, { "paths", "slash" } },
	{ ROUTE_, "paths = {\"/%zz\"}", 0, { "paths", "escape" } },
	{ ROUTE_, "paths = {\"/%c3%a9\"}", 0, { "paths", "escape" } },
	{ ROUTE_, "paths = {\"/%\"}", 0, { "paths", "escape" } },
	{ ROUTE_, "paths = {\"/a?b\"}", 0, { "paths", "no place in a path" } },
	{ ROUTE_, "paths = {\"/a;b\"}", 0, { "paths", "no place in a path" } },
	{ ROUTE_, "paths = {\"/a b\"}", 0, { "paths", "no place in a path" } },
	{ ROUTE_, "hosts = {\"a.test:80\"}", 0, { "hosts", "without a port" } },
	{ ROUTE_, "hosts = {\"*\"}", 0, { "hosts", "*.example.com" } },
	{ ROUTE_, "hosts = {\"a*.test\"}", 0, { "hosts", "a*.test" } },
	{ ROUTE_, "methods = {\"get\"}", 0, { "methods: \"get\"", "GET" } },
	{ ROUTE_, "methods = {\"TRACE\"}", 0, { "methods: \"TRACE\"", "GET" } },
	{ ROUTE_, "issuers = {\"b\"}", 0, { "no issuer \"b\"", "\"a\"" } },
	{ ROUTE_, "issuers = {\"self\"}", 0, { "\"self\" needs a token_service section", "" } },
	{ ROUTE_, "anonymous = perhaps", 0, { "anonymous: \"perhaps\"", "true or false" } },
	{ ROUTE_, "rate = \"100\"", 0, { "rate: \"100\"", "100/s" } },
	{ ROUTE_, "rate = \"0/s\"", 0, { "rate: \"0/s\"", "" } },
	{ ROUTE_, "rate = \"2000000/s\"", 0, { "rate: \"2000000/s\"", "" } },
	{ ROUTE_, "rate_by = \"user\"", 0, { "rate_by", "consumer, ip or route" } },
	{ ROUTE_, "scopes = {\"a b\"}", 0, { "scopes: \"a b\"", "one scope in each" } },
	{ ROUTE_, "scopes = {\"\"}", 0, { "scopes: \"\"", "" } },
	{ ROUTE_, "claim_headers = {\"email\"}", 0, { "claim_headers", "X-User-Email" } },
	{ ROUTE_, "claim_headers = {\"email=X User\"}", 0, { "claim_headers", "" } },
	{ ROUTE_, "claim_headers = {\"sub=x-consumer-id\"}", 0, { "x-consumer-id", "of its own" } },
	{ ROUTE_, "claim_headers = {\"sub=X_Consumer_ID\"}", 0, { "X_Consumer_ID", "of its own" } },
	{ ROUTE_, "claim_headers = {\"sub=X-Real-IP\"}", 0, { "X-Real-IP", "of its own" } },
	{ ROUTE_, "claim_headers = {\"m=X-HTTP-Method-Override\"}", 0, { "Override", "of its own" } },
	{ ROUTE_, "claim_headers = {\"sub=X-A\", \"iss=x-a\"}", 0, { "two claims", "x-a" } },
	{ ROUTE_, "claim_headers = {\"sub=X-A-B\", \"iss=X_A_B\"}", 0, { "two claims", "X_A_B" } },
	{ ROUTE_, "realm = \"a\\\"b\"", 0, { "realm", "quote" } },
	{ ROUTE_, "resource = \"orders\"", 0, { "resource: \"orders\"", "https://api.example.com" } },
	{ ROUTE_, "resource = \"urn:orders\"", 0, { "resource", "no http:// or https://" } },
	{ ROUTE_, "resource = \"https://a.test/#x\"", 0, { "resource", "\"#\"" } },
	{ ROUTE_, "resource = \"https://a.test/x?y\"", 0, { "resource", "query" } },
	{ ROUTE_, "resource = \"https://me@a.test/\"", 0, { "resource", "user name" } },
	{ ROUTE_, "resource = \"https://a.test/a/../b\"", 0, { "resource", "dot segment" } },
	{ ROUTE_, "resource = \"https://a.test/%61\"", 0, { "resource", "needs no escape" } },
	{ ROUTE_, "resource = 'https://a.test/\"'", 0, { "resource", "no place in a path" } },
	{ ROUTE_, "resource = \"https://a.test\" } route \"q\" { upstream = \"u\" paths = {\"/q\"} "
	    "resource = \"https://A.test:8443/\"", 0, { "resource", "same place" } },
	{ ROUTE_, "upgrade = {\"websocket\"}", 0, { "upgrade", "not there yet" } },
	{ ROUTE_, "max_staleness = 1.5", 0, { "max_staleness", "" } },
	{ ROUTE_, "} route \"q\" { upstream = \"u\" methods = {}", 0,
	    { "route \"r\" (line 15)", "/" } },
	{ ROUTE_, "} route \"r\" { upstream = \"u\"", 0, { "\"r\"", "each title once" } },
	{ ROUTE_, "realm = \"open", 0, { "no closing quote", "" } },
	{ ROUTE_, "realm = 'open", 0, { "no closing quote", "" } },
	{ ROUTE_, "/* open", 0, { "no end", "" } },
	{ ROUTE_, "realm = \"\n\n\" nonsense = 1", 2, { "nonsense", "unknown directive" } },
};

#define N_MISTAKES	(int)(sizeof(mistakes) / sizeof(mistakes[0]))

static size_t
fill(char *out, size_t size, char place, const char *text)
{
	struct text t = { out, 0, size, false };

	for (const char *p = frame; *p != '\0'; p++)
		if ((unsigned char)*p > 5)
			text_char(&t, *p);
		else if (*p == place)
			text_str(&t, text);
	ck_assert(!t.cut);
	return t.n;
}

START_TEST(a_mistake_is_told)
{
	char text[4096], where[32];
	char place = mistakes[_i].place[0];
	size_t n = fill(text, sizeof(text), place, mistakes[_i].text);
	struct config *config = conf_load_bytes(text, n);

	ck_assert_msg(config == NULL, "accepted: %s", mistakes[_i].text);
	snprintf(where, sizeof(where), "test.conf:%d: ", lines[(int)place] + mistakes[_i].below);
	ck_assert_msg(strstr(conf_error, where) != NULL, "%s\nnot at %s", conf_error, where);
	for (int w = 0; w < 2; w++)
		ck_assert_msg(strstr(conf_error, mistakes[_i].words[w]) != NULL,
		    "%s: %s\nhas no %s", mistakes[_i].text, conf_error, mistakes[_i].words[w]);
}
END_TEST

START_TEST(without_a_mistake_it_is_fine)
{
	char text[4096];
	struct config *config = conf_load_bytes(text, fill(text, sizeof(text), 0, ""));

	ck_assert_msg(config != NULL, "%s", conf_error);
	config_free(&config);
	ck_assert_ptr_null(config);
}
END_TEST

/* A missing brace or section, and things that are wrong with the file as a whole. */
static const struct {
	const char	*text;
	const char	*words;
} files[] = {
	{ "", "listen: there is no such section" },
	{ "# nothing but a comment", "listen: there is no such section" },
	{ ISSUER UPSTREAM ROUTE, "listen: there is no such section" },
	{ LISTEN ISSUER UPSTREAM, "route: there is no such section" },
	{ LISTEN UPSTREAM ROUTE, "there is no issuer" },
	{ LISTEN ISSUER ROUTE, "no upstream \"u\" (accepted: there is none)" },
	{ MINIMAL "client {\n", "test.conf:5: the section that begins here has no closing brace" },
	{ MINIMAL "\nupstream \"v\" {\nhealth_check {\n}\n", "test.conf:6: the section" },
	{ MINIMAL "issuer", "premature end of file" },
	{ MINIMAL "workers", "premature end of file" },
	{ MINIMAL "workers =", "premature end of file" },
	{ MINIMAL "trusted_proxies = {", "premature end of file" },
	{ MINIMAL "issuer \"b\" { issuer = \"https://a.test\" audience = {\"y\"} }",
	    "has the same value" },
	{ MINIMAL "issuer \"b\" { issuer = \"urn:b\" audience = {\"y\"} }",
	    "can't be found by discovery" },
};

START_TEST(a_file_that_lacks_something)
{
	struct config *config = conf_load(files[_i].text);

	ck_assert_msg(config == NULL, "accepted: %s", files[_i].text);
	ck_assert_msg(strstr(conf_error, files[_i].words) != NULL, "%s", conf_error);
}
END_TEST

START_TEST(a_file_that_is_none)
{
	ck_assert_ptr_null(config_load("/no/such/file", conf_error, sizeof(conf_error)));
	ck_assert_str_eq(conf_error, "/no/such/file: the configuration can't be read: "
	    "No such file or directory");
	ck_assert_ptr_null(config_load("/tmp", conf_error, sizeof(conf_error)));
	ck_assert_ptr_null(conf_load_bytes("workers = 1\n\0workers = 2", 25));
	ck_assert_ptr_nonnull(strstr(conf_error, ":2: there is a control character"));
	char *large = calloc(1, 3 << 20);
	memset(large, ' ', 3 << 20);
	ck_assert_ptr_null(conf_load_bytes(large, 3 << 20));
	ck_assert_ptr_nonnull(strstr(conf_error, "too large"));
	free(large);
}
END_TEST

START_TEST(all_mistakes_at_once)
{
	char small[160];

	ck_assert_ptr_null(conf_load("workers = x\nlog_level = y\n" MINIMAL
	    "route \"q\" { upstream = \"v\" }"));
	ck_assert(strstr(conf_error, ":1: ") != NULL && strstr(conf_error, ":2: ") != NULL &&
	    strstr(conf_error, ":7: ") != NULL);
	const char *path = conf_write("test.conf", "workers = x\nlog_level = y\n", 26);
	ck_assert_ptr_null(config_load(path, small, sizeof(small)));
	ck_assert_ptr_nonnull(strstr(small, "further errors are left out"));
	ck_assert_uint_lt(strlen(small), sizeof(small));
	unlink(path);
	rmdir(conf_folder);
}
END_TEST

/* Bytes of a good file are changed at random: refused or not, nothing breaks and nothing leaks. */
START_TEST(no_bytes_break_it)
{
	static const char bytes[] = "{}=\"'#/*,+|\\$\n \t\0000";
	char text[4096], broken[4096];
	size_t n = fill(text, sizeof(text), 0, "");
	unsigned seed = 1;

	for (int i = 0; i < 500; i++) {
		memcpy(broken, text, n);
		for (int j = 0; j <= i % 3; j++) {
			size_t at = (size_t)rand_r(&seed) % n;

			broken[at] = bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
		}
		struct config *config = conf_load_bytes(broken, i % 5 == 0 ? n - (size_t)i % n : n);
		ck_assert(config != NULL || strstr(conf_error, "test.conf") != NULL);
		config_free(&config);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf_broken");
	TCase *tcase = tcase_create("conf_broken");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, without_a_mistake_it_is_fine);
	tcase_add_loop_test(tcase, a_mistake_is_told, 0, N_MISTAKES);
	tcase_add_loop_test(tcase, a_file_that_lacks_something, 0,
	    sizeof(files) / sizeof(files[0]));
	tcase_add_test(tcase, a_file_that_is_none);
	tcase_add_test(tcase, all_mistakes_at_once);
	tcase_add_test(tcase, no_bytes_break_it);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
