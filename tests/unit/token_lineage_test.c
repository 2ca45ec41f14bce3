#include "gateway/token/lineage.h"

#include "gateway/base/encode.h"
#include "gateway/token/identity.h"
#include "shm/cache.h"
#include "tests/unit/token_support.h"

/* What a lineage says is what was written, and nothing that can't be read whole is taken. */

#define OWN	"https://own.test"

static _Alignas(8) char room[FACTS_MAX], child_room[FACTS_MAX];
static char json[65536];

static const struct facts_wish own_wish = { .consumer_claim = "", .scope_claim = "",
    .lineage = true };
static const struct facts_wish foreign_wish = { .consumer_claim = "", .scope_claim = "" };

static enum verdict
make(char *where, const char *claims, const struct facts_wish *wish)
{
	static struct doc_value values[5000];
	static char text[1 << 17];
	struct facts *f = (struct facts *)(void *)where;

	ck_assert_uint_lt(strlen(claims), sizeof(text));
	strcpy(text, claims);
	ck_assert_msg(doc_parse(values, 5000, text, strlen(text)), "%s", claims);
	enum verdict verdict = facts_make(f, values, SPAN("k1"), wish);
	if (verdict == VERDICT_ACTIVE)
		facts_identify(f, SPAN("h.p"));
	return verdict;
}

static const struct facts *
facts_of(char *where, const char *claims, const struct facts_wish *wish, int64_t iat_s)
{
	struct facts *f = (struct facts *)(void *)where;

	ck_assert_int_eq(make(where, claims, wish), VERDICT_ACTIVE);
	ck_assert_ptr_nonnull(facts_view(f, f->size));
	f->iat_s = iat_s;
	return f;
}

/* The claim of a token exchanged from one of these facts. */
static const char *
written(const struct facts *f)
{
	struct text t = { json, 0, lineage_room(f), false };

	ck_assert_uint_lt(t.size, sizeof(json));
	lineage_write(&t, f, SPAN(OWN));
	ck_assert(!t.cut);
	return str("%.*s", (int)t.n, t.p);
}

static const char *
own_claims(const char *jti, const char *client, const char *lineage)
{
	return str("{\"iss\":\"" OWN "\",\"sub\":\"alice\",\"client_id\":\"%s\",\"jti\":\"%s\"%s%s}",
	    client, jti, lineage == NULL ? "" : ",\"lineage\":", lineage == NULL ? "" : lineage);
}

static struct ancestor
ancestor_of(const struct facts *f, size_t index)
{
	struct span rest = facts_get(f, FACTS_LINEAGE);
	struct ancestor a = { .identity = NULL };

	for (size_t i = 0; i <= index; i++)
		ck_assert(lineage_next(f, &rest, &a));
	return a;
}

#define ck_text(span, expected) \
	ck_assert_msg(span_eq((span), span_of(expected)), "\"%.*s\"", SPAN_ARG(span))

START_TEST(a_chain_is_told_whole)
{
	const struct facts *f = facts_of(room, "{\"iss\":\"" ISSUER "\",\"sub\":\"alice\","
	    "\"client_id\":\"web\",\"jti\":\"f1\",\"sid\":\"s1\",\"lineage\":[{\"jti\":\"x\"}]}",
	    &foreign_wish, NOW - 60);
	uint8_t first[IDENTITY_SIZE], second[IDENTITY_SIZE];

	memcpy(first, f->identity, sizeof(first));
	ck_assert_uint_eq(lineage_depth(f), 0);
	const char *one = written(f);
	ck_assert_str_eq(one, "[{\"jti\":\"f1\",\"iss\":\"" ISSUER "\",\"client_id\":\"web\","
	    "\"kid\":\"k1\",\"sid\":\"s1\",\"iat\":1799999940}]");
	f = facts_of(room, own_claims("o1", "svc-a", one), &own_wish, NOW - 30);
	memcpy(second, f->identity, sizeof(second));
	const char *two = written(f);
	f = facts_of(child_room, own_claims("o2", "svc-b", two), &own_wish, NOW);

	ck_assert_uint_eq(lineage_depth(f), 2);
	struct ancestor a = ancestor_of(f, 0);
	ck_assert_int_eq(memcmp(a.identity, first, sizeof(first)), 0);
	ck_text(a.jti, "f1");
	ck_text(a.issuer, ISSUER);
	ck_text(a.subject, "alice");
	ck_text(a.client, "web");
	ck_text(a.kid, "k1");
	ck_text(a.session, "s1");
	ck_assert_int_eq(a.issued_s, NOW - 60);
	a = ancestor_of(f, 1);
	ck_assert_int_eq(memcmp(a.identity, second, sizeof(second)), 0);
	ck_text(a.jti, "o1");
	ck_text(a.issuer, OWN);
	ck_text(a.client, "svc-a");
	ck_assert_uint_eq(a.session.n, 0);
	ck_assert_int_eq(a.issued_s, NOW - 30);
}
END_TEST

/* What a token without jti is revoked by reaches what was exchanged from it. */
START_TEST(a_nameless_ancestor_keeps_its_identity)
{
	const struct facts *f = facts_of(room, "{\"iss\":\"" ISSUER "\",\"sub\":\"alice\","
	    "\"client_id\":\"web\"}", &foreign_wish, FACTS_NO_TIME);
	char stand_in[IDENTITY_STAND_IN];
	uint8_t identity[IDENTITY_SIZE];

	const struct facts *child = facts_of(child_room, own_claims("o1", "svc", written(f)),
	    &own_wish, NOW);
	struct ancestor a = ancestor_of(child, 0);
	identity_stand_in(SPAN("h.p"), stand_in);
	identity_make(IDENTITY_JTI, SPAN(ISSUER), span_make(stand_in, sizeof(stand_in)), identity);
	ck_assert_int_eq(memcmp(a.identity, identity, sizeof(identity)), 0);
	ck_assert_uint_eq(a.jti.n, 0);
	ck_assert(a.issued_s == FACTS_NO_TIME);
	/* and on to the next */
	f = facts_of(room, own_claims("o2", "svc", written(child)), &own_wish, NOW);
	ck_assert_uint_eq(lineage_depth(f), 2);
	ck_assert_int_eq(memcmp(ancestor_of(f, 0).identity, identity, sizeof(identity)), 0);
}
END_TEST

START_TEST(any_text_survives)
{
	static const char odd[] = "\\u0001\\\"\\\\\\u00e9\\ud83d\\ude00]},{\\u007f";
	const struct facts *f = facts_of(room, str("{\"iss\":\"" ISSUER "\",\"sub\":\"a\\\"b\","
	    "\"client_id\":\"\\\\\",\"jti\":\"]}\",\"sid\":\"%s\"}", odd), &foreign_wish, -7);
	const char *claims = str("{\"iss\":\"" OWN "\",\"sub\":\"a\\\"b\",\"jti\":\"o\","
	    "\"lineage\":%s}", written(f));

	f = facts_of(child_room, claims, &own_wish, NOW);
	struct ancestor a = ancestor_of(f, 0);
	ck_text(a.session, "\x01\"\\\xc3\xa9\xf0\x9f\x98\x80]},{\x7f");
	ck_text(a.jti, "]}");
	ck_text(a.client, "\\");
	ck_text(a.subject, "a\"b");
	ck_assert_int_eq(a.issued_s, -7);
}
END_TEST

/* Iss and sub that are the token's own are the same whether said or not. */
START_TEST(what_is_the_tokens_own_goes_without_saying)
{
	const struct facts *f = facts_of(room, own_claims("o", "c",
	    "[{\"jti\":\"x\",\"iss\":\"" OWN "\",\"sub\":\"alice\"},{\"jti\":\"x\"},"
	    "{\"jti\":\"x\",\"sub\":\"bob\"}]"), &own_wish, NOW);
	struct ancestor a = ancestor_of(f, 0), b = ancestor_of(f, 1), c = ancestor_of(f, 2);

	ck_assert_int_eq(memcmp(a.identity, b.identity, IDENTITY_SIZE), 0);
	ck_assert(span_eq(a.subject, b.subject) && span_eq(a.issuer, b.issuer));
	ck_text(c.subject, "bob");
	ck_assert_str_eq(written(f), "[{\"jti\":\"x\"},{\"jti\":\"x\"},{\"jti\":\"x\","
	    "\"sub\":\"bob\"},{\"jti\":\"o\",\"client_id\":\"c\",\"kid\":\"k1\",\"iat\":1800000000}]");
}
END_TEST

START_TEST(what_is_not_whole_is_malformed)
{
	static const char *const bad[] = { "null", "true", "7", "\"x\"", "{}", "{\"jti\":\"x\"}", "[]",
		"[\"x\"]", "[7]", "[null]", "[[]]", "[{}]", "[{\"jti\":\"x\"},7]", "[{\"jti\":\"\"}]",
		"[{\"jti\":7}]", "[{\"jti\":null}]", "[{\"jti\":[\"x\"]}]", "[{\"iss\":\"a\"}]",
		"[{\"jti\":\"x\",\"iss\":\"\"}]", "[{\"jti\":\"x\",\"iss\":7}]",
		"[{\"jti\":\"x\",\"sub\":null}]", "[{\"jti\":\"x\",\"client_id\":{}}]",
		"[{\"jti\":\"x\",\"kid\":1}]", "[{\"jti\":\"x\",\"sid\":[]}]",
		"[{\"jti\":\"x\",\"iat\":\"1\"}]", "[{\"jti\":\"x\",\"iat\":1.5}]",
		"[{\"jti\":\"x\",\"iat\":null}]", "[{\"jti\":\"x\",\"iat\":253402300800}]",
		"[{\"jti\":\"x\",\"iat\":-9223372036854775808}]", "[{\"identity\":\"\"}]",
		"[{\"identity\":\"AA\"}]", "[{\"identity\":7}]",
		"[{\"identity\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\"}]",
		"[{\"identity\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\"}]",
		"[{\"identity\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}]",
		"[{\"jti\":\"x\",\"identity\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *claims = own_claims("o", "c", bad[i]);
		enum verdict verdict = make(room, claims, &own_wish);

		ck_assert_msg(verdict == VERDICT_MALFORMED, "%s", bad[i]);
		/* of others it means nothing */
		ck_assert_int_eq(make(room, claims, &foreign_wish), VERDICT_ACTIVE);
		ck_assert_uint_eq(lineage_depth((struct facts *)(void *)room), 0);
	}
	ck_assert_int_eq(make(room, own_claims("o", "c", "[{\"identity\":"
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]"), &own_wish), VERDICT_ACTIVE);
	ck_assert_int_eq(make(room, "{\"client_id\":\"c\",\"lineage\":[{\"jti\":\"x\"}]}",
	    &own_wish), VERDICT_MALFORMED);
}
END_TEST

static const char *
chain(size_t n, const char *member)
{
	const char *text = member;

	for (size_t i = 1; i < n; i++)
		text = str("%s,%s", text, member);
	return str("[%s]", text);
}

START_TEST(a_lineage_has_a_bound)
{
	const char *x = "{\"jti\":\"x\"}";

	ck_assert_int_eq(make(room, own_claims("o", "c", chain(LINEAGE_MAX, x)), &own_wish),
	    VERDICT_ACTIVE);
	ck_assert_uint_eq(lineage_depth((struct facts *)(void *)room), LINEAGE_MAX);
	ck_assert_int_eq(make(room, own_claims("o", "c", chain(LINEAGE_MAX + 1, x)), &own_wish),
	    VERDICT_MALFORMED);
	char *big = keep(calloc(1, 50001));
	memset(big, 'x', 50000);
	ck_assert_int_eq(make(room, own_claims("o", "c", str("[{\"jti\":\"%s\",\"client_id\":\"x\"}]",
	    big)), &own_wish), VERDICT_ACTIVE);
	ck_assert_int_eq(make(room, own_claims("o", "c", str("[{\"jti\":\"%s\",\"kid\":\"%.10000s\","
	    "\"sid\":\"%.10000s\"}]", big, big, big)), &own_wish), VERDICT_TOO_LARGE);
}
END_TEST

/* As long as it may be, of texts as long as they are in life, it finds room in the cache. */
START_TEST(the_longest_is_remembered)
{
	const char *member = "{\"jti\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
	    "\"client_id\":\"service-notifier-01890a5d\","
	    "\"kid\":\"514vG9GBsbDjKiD6k58_ioMaAmWEEdteIfO4gIL1lNY\",\"iat\":1800000000}";
	const struct facts *f = facts_of(room, own_claims("o", "c", chain(LINEAGE_MAX, member)),
	    &own_wish, NOW);

	ck_assert_uint_lt(f->size, CACHE_VALUE_MAX - 1024);
}
END_TEST

START_TEST(a_damaged_part_is_not_read_past_its_end)
{
	struct facts *f = (struct facts *)(void *)room;
	size_t n;

	facts_of(room, own_claims("o", "c", "[{\"jti\":\"x\",\"kid\":\"k\"}]"), &own_wish, NOW);
	n = f->part[FACTS_LINEAGE].n;
	for (size_t i = 0; i < n; i++) {
		f->part[FACTS_LINEAGE].n = (uint16_t)i;
		ck_assert_uint_eq(lineage_depth(f), 0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("token_lineage");
	TCase *tc = tcase_create("lineage");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, a_chain_is_told_whole);
	tcase_add_test(tc, a_nameless_ancestor_keeps_its_identity);
	tcase_add_test(tc, any_text_survives);
	tcase_add_test(tc, what_is_the_tokens_own_goes_without_saying);
	tcase_add_test(tc, what_is_not_whole_is_malformed);
	tcase_add_test(tc, a_lineage_has_a_bound);
	tcase_add_test(tc, the_longest_is_remembered);
	tcase_add_test(tc, a_damaged_part_is_not_read_past_its_end);
	return run_suite(s);
}
