#include "tests/unit/token_support.h"

#include "gateway/token/doc.h"
#include "gateway/token/facts.h"
#include "gateway/token/lineage.h"

static _Alignas(16) char room[FACTS_MAX];
static const char *wanted[] = { "email", "realm_access.roles", "groups", "a.b", "n", "flag", "none" };
static struct facts_wish wish;

static void
set_up(void)
{
	wish = (struct facts_wish){ .consumer_claim = "", .scope_claim = "" };
}

static enum verdict
make(const char *claims)
{
	static struct doc_value values[1000];
	char *text = strdup(claims);

	ck_assert_msg(doc_parse(values, 1000, text, strlen(text)), "%s", claims);
	enum verdict verdict = facts_make((struct facts *)room, values, SPAN("kid"), &wish);
	free(text);
	return verdict;
}

/* Facts of these claims, and of a client where they name nobody. */
static const struct facts *
facts_of(const char *claims)
{
	if (strstr(claims, "\"sub\"") == NULL && strstr(claims, "\"client_id\"") == NULL)
		claims = str("{\"client_id\":\"c\"%s%s", claims[1] == '}' ? "" : ",", claims + 1);
	ck_assert_int_eq(make(claims), VERDICT_ACTIVE);
	const struct facts *f = facts_view(room, ((struct facts *)room)->size);
	ck_assert_ptr_nonnull(f);
	return f;
}

static void
check_part(const struct facts *f, enum facts_name name, const char *expected)
{
	struct span part = facts_get(f, name);

	ck_assert_msg(span_eq(part, span_of(expected)), "\"%.*s\" instead of \"%s\"",
	    SPAN_ARG(part), expected);
}

START_TEST(parts_are_what_the_token_says)
{
	const struct facts *f = facts_of(claims_but("", NULL));

	check_part(f, FACTS_ISSUER, ISSUER);
	check_part(f, FACTS_SUBJECT, "alice");
	check_part(f, FACTS_CLIENT, "app");
	check_part(f, FACTS_CONSUMER, "app");
	check_part(f, FACTS_JTI, "j1");
	check_part(f, FACTS_KID, "kid");
	check_part(f, FACTS_SCOPE, "orders:read orders:write");
	check_part(f, FACTS_HEADERS, "X-Consumer-ID: app\r\nX-Consumer-Username: app\r\n"
	    "X-Credential-Identifier: app\r\nX-Authenticated-Scope: orders:read orders:write\r\n"
	    "X-Authenticated-Userid: alice\r\n");
}
END_TEST

START_TEST(a_token_may_say_little)
{
	const struct facts *f = facts_of("{\"sub\":\"alice\"}");

	check_part(f, FACTS_CLIENT, "");
	check_part(f, FACTS_CONSUMER, "alice");
	check_part(f, FACTS_HEADERS, "X-Consumer-ID: alice\r\nX-Consumer-Username: alice\r\n"
	    "X-Credential-Identifier: alice\r\nX-Authenticated-Userid: alice\r\n");
	ck_assert_int_eq(make("{}"), VERDICT_NO_CONSUMER);
	ck_assert_int_eq(make("{\"sub\":\"\",\"scope\":\"a\"}"), VERDICT_NO_CONSUMER);
	ck_assert(!facts_has_audience(f, SPAN("")));
	ck_assert(!facts_has_scope(f, SPAN("")));
}
END_TEST

START_TEST(a_client_is_no_user)
{
	const struct facts *f = facts_of("{\"sub\":\"app\",\"client_id\":\"app\"}");

	check_part(f, FACTS_SUBJECT, "app");
	check_part(f, FACTS_HEADERS, "X-Consumer-ID: app\r\nX-Consumer-Username: app\r\n"
	    "X-Credential-Identifier: app\r\n");
	/* nor where another client acts with what its token was exchanged for */
#define EXCHANGED(first) "{\"iss\":\"i\",\"sub\":\"app\",\"client_id\":\"bff\",\"lineage\":" \
	"[{\"jti\":\"1\",\"client_id\":\"" first "\"},{\"jti\":\"2\",\"client_id\":\"x\"}]}"
	wish.lineage = true;
	check_part(facts_of(EXCHANGED("app")), FACTS_HEADERS, "X-Consumer-ID: bff\r\n"
	    "X-Consumer-Username: bff\r\nX-Credential-Identifier: bff\r\n");
	check_part(facts_of(EXCHANGED("web")), FACTS_HEADERS, "X-Consumer-ID: bff\r\n"
	    "X-Consumer-Username: bff\r\nX-Credential-Identifier: bff\r\n"
	    "X-Authenticated-Userid: app\r\n");
}
END_TEST

START_TEST(the_consumer_is_who_the_conf_says)
{
	check_part(facts_of("{\"azp\":\"z\",\"sub\":\"s\"}"), FACTS_CONSUMER, "z");
	check_part(facts_of("{\"client_id\":\"c\",\"azp\":\"z\"}"), FACTS_CONSUMER, "c");
	wish.consumer_claim = "org.id";
	check_part(facts_of("{\"sub\":\"s\",\"org\":{\"id\":\"acme\"}}"), FACTS_CONSUMER, "acme");
	check_part(facts_of("{\"sub\":\"s\",\"org\":{\"id\":42}}"), FACTS_CONSUMER, "42");
	check_part(facts_of("{\"org.id\":\"flat\",\"org\":{\"id\":\"deep\"}}"), FACTS_CONSUMER, "flat");
	ck_assert_int_eq(make("{\"sub\":\"s\"}"), VERDICT_NO_CONSUMER);
	ck_assert_int_eq(make("{\"sub\":\"s\",\"org\":{\"id\":\"\"}}"), VERDICT_NO_CONSUMER);
	ck_assert_int_eq(make("{\"sub\":\"s\",\"org\":{\"id\":[\"a\"]}}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"sub\":\"s\",\"org\":{\"id\":\"a\\nb\"}}"), VERDICT_MALFORMED);
}
END_TEST

/* Only of an issuer that has a claim for it: elsewhere a claim of that name means nothing. */
START_TEST(a_custom_id_is_told)
{
	const char *claims = "{\"sub\":\"s\",\"number\":\"4711\"}";

	check_part(facts_of(claims), FACTS_HEADERS, "X-Consumer-ID: s\r\n"
	    "X-Consumer-Username: s\r\nX-Credential-Identifier: s\r\n"
	    "X-Authenticated-Userid: s\r\n");
	wish.custom_id_claim = "number";
	check_part(facts_of(claims), FACTS_HEADERS, "X-Consumer-ID: s\r\n"
	    "X-Consumer-Username: s\r\nX-Consumer-Custom-ID: 4711\r\n"
	    "X-Credential-Identifier: s\r\nX-Authenticated-Userid: s\r\n");
	ck_assert_int_eq(make("{\"sub\":\"s\",\"number\":\"a\\nb\"}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"sub\":\"s\",\"number\":4711}"), VERDICT_MALFORMED);
	wish.custom_id_claim = "org.number";
	ck_assert(span_starts_nocase(facts_get(facts_of("{\"sub\":\"s\",\"org\":{\"number\":\"1\"}}"),
	    FACTS_HEADERS), SPAN("X-Consumer-ID: s\r\nX-Consumer-Username: s\r\n"
	    "X-Consumer-Custom-ID: 1\r\n")));
}
END_TEST

/* Nobody can put a line into a header, nor seem to be somebody else after trimming. */
START_TEST(an_identity_is_plain_text)
{
	const char *const bad[] = { "a\\r\\nX-Consumer-ID: root", "a\\nb", "a\\rb", "a\\tb", " a",
		"a ", "\\u007f", "\\u0001" };
	const char *const names[] = { "sub", "client_id", "jti", "iss" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			ck_assert_int_eq(make(str("{\"%s\":\"%s\"}", names[j], bad[i])),
			    VERDICT_MALFORMED);
	check_part(facts_of("{\"sub\":\"J\\u00fcrgen M\"}"), FACTS_SUBJECT, "J\xc3\xbcrgen M");
}
END_TEST

START_TEST(scopes_are_whole_words)
{
	const struct facts *f = facts_of("{\"scope\":\" read  readwrite admin:all  \"}");

	check_part(f, FACTS_SCOPE, "read readwrite admin:all");
	ck_assert(facts_has_scope(f, SPAN("read")));
	ck_assert(facts_has_scope(f, SPAN("readwrite")));
	ck_assert(facts_has_scope(f, SPAN("admin:all")));
	ck_assert(!facts_has_scope(f, SPAN("write")));
	ck_assert(!facts_has_scope(f, SPAN("Read")));
	ck_assert(!facts_has_scope(f, SPAN("admin")));
	ck_assert(!facts_has_scope(f, SPAN("read readwrite")));
	ck_assert(!facts_has_scope(f, SPAN(" ")));
	ck_assert(!facts_has_scope(facts_of("{\"scope\":\"readwrite\"}"), SPAN("read")));
}
END_TEST

START_TEST(scopes_come_in_several_forms)
{
	check_part(facts_of("{\"scp\":[\"a\",\"b\"]}"), FACTS_SCOPE, "a b");
	check_part(facts_of("{\"scope\":[\"a b\",\"c\"],\"scp\":\"x\"}"), FACTS_SCOPE, "a b c");
	check_part(facts_of("{\"scope\":\"\"}"), FACTS_SCOPE, "");
	wish.scope_claim = "permissions";
	check_part(facts_of("{\"permissions\":[\"a\"],\"scope\":\"b\"}"), FACTS_SCOPE, "a");
	check_part(facts_of("{\"scope\":\"b\",\"scp\":\"c\"}"), FACTS_SCOPE, "");
	/* names with a space are not two scopes */
	check_part(facts_of("{\"permissions\":[\"a admin\",\"b\",\" admin\"]}"), FACTS_SCOPE, "b");
	check_part(facts_of("{\"permissions\":\"a b\"}"), FACTS_SCOPE, "a b");
	wish.scope_claim = "realm_access.roles";
	check_part(facts_of("{\"realm_access\":{\"roles\":[\"a\",\"b\"]},\"roles\":\"c\"}"),
	    FACTS_SCOPE, "a b");
	check_part(facts_of("{\"realm_access\":{\"roles\":[]},\"scope\":\"c\"}"), FACTS_SCOPE, "");
	check_part(facts_of("{\"realm_access.roles\":\"w\",\"realm_access\":{\"roles\":\"n\"}}"),
	    FACTS_SCOPE, "w");
	check_part(facts_of("{\"realm_access\":\"roles\"}"), FACTS_SCOPE, "");
	ck_assert_int_eq(make("{\"realm_access\":{\"roles\":{\"a\":1}}}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"realm_access\":{\"roles\":[[\"a\"]]}}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"realm_access\":{\"roles\":true}}"), VERDICT_MALFORMED);
	wish.scope_claim = "";
	ck_assert_int_eq(make("{\"scope\":7}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"scope\":null}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"scope\":[\"a\",7]}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"scope\":\"a\\r\\nb\"}"), VERDICT_MALFORMED);
	ck_assert_int_eq(make("{\"scope\":\"a\\tb\"}"), VERDICT_MALFORMED);
}
END_TEST

START_TEST(an_audience_is_a_member)
{
	const struct facts *f = facts_of("{\"aud\":[\"orders\",\"\",\"a\\nb\"]}");

	ck_assert(facts_has_audience(f, SPAN("orders")));
	ck_assert(facts_has_audience(f, SPAN("")));
	ck_assert(facts_has_audience(f, SPAN("a\nb")));
	ck_assert(!facts_has_audience(f, SPAN("order")));
	ck_assert(!facts_has_audience(f, SPAN("orders-api")));
	ck_assert(!facts_has_audience(f, SPAN("a")));
	ck_assert(facts_has_audience(facts_of("{\"aud\":\"x\"}"), SPAN("x")));
}
END_TEST

static void
check_claim(const struct facts *f, const char *claim, const char *expected)
{
	struct span value;
	bool there = facts_claim(f, span_of(claim), &value);

	ck_assert_int_eq(there, expected != NULL);
	if (there)
		ck_assert_msg(span_eq(value, span_of(expected)), "\"%.*s\"", SPAN_ARG(value));
}

START_TEST(who_acts_is_kept_whole)
{
	const struct facts *f = facts_of("{\"sub\":\"s\",\"act\" : {\"sub\":\"\\u0061\\n\", \"x\":[1.50,null],"
	    "\"act\":{\"sub\":\"b\"}}, \"may_act\" : {\"client_id\":\"c\"},\"sid\":\"s 1\\n\"}");

	check_part(f, FACTS_ACT,
	    "{\"sub\":\"a\\n\",\"x\":[1.50,null],\"act\":{\"sub\":\"b\"}}");
	check_part(f, FACTS_MAY_ACT, "{\"client_id\":\"c\"}");
	check_part(f, FACTS_SESSION, "s 1\n");
	f = facts_of("{}");
	check_part(f, FACTS_ACT, "");
	check_part(f, FACTS_MAY_ACT, "");
	check_part(f, FACTS_SESSION, "");
	check_part(f, FACTS_LINEAGE, "");
	check_part(facts_of("{\"act\":{}}"), FACTS_ACT, "{}");
	/* what may_act says is judged where it matters; it is never overlooked */
	check_part(facts_of("{\"may_act\":null}"), FACTS_MAY_ACT, "null");
	check_part(facts_of("{\"may_act\":\"\"}"), FACTS_MAY_ACT, "\"\"");
	check_part(facts_of("{\"may_act\":[]}"), FACTS_MAY_ACT, "[]");
	check_part(facts_of("{\"sid\":7}"), FACTS_SESSION, "");
	const char *const bad[] = { "null", "\"x\"", "7", "true", "[]", "[{\"sub\":\"x\"}]" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(make(str("{\"sub\":\"s\",\"act\":%s}", bad[i])),
		    VERDICT_MALFORMED);
}
END_TEST

/* So many actors as may be exchanged for, and one more level for what names them. */
START_TEST(a_long_chain_of_actors_is_read)
{
	const char *act = "{\"sub\":\"x\"}";

	for (int i = 1; i < LINEAGE_MAX; i++)
		act = str("{\"sub\":\"x\",\"act\":%s}", act);
	check_part(facts_of(str("{\"sub\":\"s\",\"act\":%s}", act)), FACTS_ACT, act);
}
END_TEST

START_TEST(who_vouches_may_say_the_issuer)
{
	wish.issuer = ISSUER;
	check_part(facts_of("{\"sub\":\"s\"}"), FACTS_ISSUER, ISSUER);
	check_part(facts_of("{\"iss\":\"" ISSUER "\",\"sub\":\"s\"}"), FACTS_ISSUER, ISSUER);
}
END_TEST

START_TEST(claims_become_header_values)
{
	wish.claims = wanted;
	wish.n_claims = sizeof(wanted) / sizeof(wanted[0]);
	const struct facts *f = facts_of("{\"email\":\"a@b.test\\r\\nX: y\","
	    "\"realm_access\":{\"roles\":[\"admin\",\"a,b\",7,{},null,\"50%\"]},"
	    "\"groups\":[],\"a\":{\"b\":\" x \"},\"n\":-3,\"flag\":true,\"none\":null}");

	check_claim(f, "email", "a@b.test%0D%0AX: y");
	check_claim(f, "realm_access.roles", "admin,a%2Cb,7,50%25");
	check_claim(f, "groups", NULL);
	check_claim(f, "a.b", "%20x%20");
	check_claim(f, "n", "-3");
	check_claim(f, "flag", "true");
	check_claim(f, "none", NULL);
	check_claim(f, "sub", NULL);
	check_claim(facts_of("{}"), "email", NULL);
	check_claim(facts_of("{\"n\":1.5}"), "n", "1.5");
}
END_TEST

START_TEST(facts_have_a_bound)
{
	char *long_text = keep(calloc(1, 100001));

	memset(long_text, 'x', 100000);
	ck_assert_int_eq(make(str("{\"sub\":\"%.20000s\"}", long_text)), VERDICT_TOO_LARGE);
	ck_assert_int_eq(make(str("{\"sub\":\"%.10000s\"}", long_text)), VERDICT_ACTIVE);
	ck_assert_int_eq(make(str("{\"sub\":\"s\",\"aud\":\"%s\"}", long_text)), VERDICT_TOO_LARGE);
	ck_assert_int_eq(make(str("{\"sub\":\"s\",\"aud\":[\"%.60000s\",\"%.6000s\"]}", long_text, long_text)),
	    VERDICT_TOO_LARGE);
	wish.claims = wanted;
	wish.n_claims = 1;
	ck_assert_int_eq(make(str("{\"sub\":\"s\",\"email\":\"%s\"}", long_text)), VERDICT_TOO_LARGE);
}
END_TEST

START_TEST(foreign_bytes_are_no_facts)
{
	const struct facts *f = facts_of(claims_but("", NULL));
	size_t n = f->size;
	struct facts *mine = (struct facts *)room;

	ck_assert_ptr_null(facts_view(room, n - 1));
	ck_assert_ptr_null(facts_view(room, n + 1));
	ck_assert_ptr_null(facts_view(room, 8));
	mine->version++;
	ck_assert_ptr_null(facts_view(room, n));
	mine->version--;
	mine->part[FACTS_SCOPE].n = 60000;
	ck_assert_ptr_null(facts_view(room, n));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_facts");
	TCase *tc = tcase_create("facts");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, parts_are_what_the_token_says);
	tcase_add_test(tc, a_token_may_say_little);
	tcase_add_test(tc, a_client_is_no_user);
	tcase_add_test(tc, the_consumer_is_who_the_conf_says);
	tcase_add_test(tc, a_custom_id_is_told);
	tcase_add_test(tc, an_identity_is_plain_text);
	tcase_add_test(tc, scopes_are_whole_words);
	tcase_add_test(tc, scopes_come_in_several_forms);
	tcase_add_test(tc, an_audience_is_a_member);
	tcase_add_test(tc, who_acts_is_kept_whole);
	tcase_add_test(tc, a_long_chain_of_actors_is_read);
	tcase_add_test(tc, who_vouches_may_say_the_issuer);
	tcase_add_test(tc, claims_become_header_values);
	tcase_add_test(tc, facts_have_a_bound);
	tcase_add_test(tc, foreign_bytes_are_no_facts);
	return run_suite(suite);
}
