/*
 * Want of memory in OpenSSL and jansson, at each allocation in turn: a good token may go unjudged
 * then, but it is never bad, and a key set is never without one of its keys. Either would be
 * remembered. And no key set is looked for at another address than the one that was told.
 */
#include "gateway/token/jwks.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "gateway/discovery.h"
#include "gateway/token/jwk.h"
#include "tests/unit/token_support.h"

#define ALLOCATIONS_MAX	4000	/* of one operation, far more than there are */

/* The allocation that fails next, counted down; 0: none. */
static struct {
	size_t	left;
	bool	for_good;	/* all after it fail too */
	bool	failed;
} want;

static bool
fails(void)
{
	if (want.left == 0 || --want.left > 0)
		return false;
	want.left = want.for_good;
	want.failed = true;
	errno = ENOMEM;		/* as malloc(3) says it */
	return true;
}

static void *
take(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : malloc(n);
}

static void *
take_more(void *old, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : realloc(old, n);
}

static void
give_back(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

static void *
take_json(size_t n)
{
	return take(n, "", 0);
}

static void
fail_at(size_t n, bool for_good)
{
	want.left = n;
	want.for_good = for_good;
	want.failed = false;
}

/* Rows: an algorithm, and whether all allocations fail from some one on. */
#define ROWS	(ALG_COUNT * 2)

START_TEST(no_good_signature_is_bad)
{
	const struct alg *alg = alg_row((enum alg_id)(_i / 2));
	struct test_signer signer = signer_new("k", alg);
	struct span input = SPAN("header.claims"), signature = sign(&signer, alg, input);
	const char *set = str("{\"keys\":[%s]}", jwk_of(&signer, ""));
	struct alg_tools *tools = alg_tools_new();
	enum alg_result result;
	const char *reason;
	size_t n = 0;

	ck_assert_ptr_nonnull(tools);
	do {
		struct jwks *keys = jwks_parse(tools, span_of(set), NULL, &reason);

		ck_assert_ptr_nonnull(keys);
		fail_at(++n, _i % 2 == 1);
		result = alg_verify(tools, alg, &keys->keys[0].key, input, signature);
		fail_at(0, false);
		ck_assert_msg(result != ALG_BAD, "%.*s: allocation %zu", SPAN_ARG(alg->name), n);
		/* and the next time it is looked at, all is well */
		ck_assert_int_eq(alg_verify(tools, alg, &keys->keys[0].key, input, signature),
		    ALG_GOOD);
		jwks_free(&keys);
	} while (result != ALG_GOOD && n < ALLOCATIONS_MAX);
	ck_assert_uint_lt(n, ALLOCATIONS_MAX);
	alg_tools_free(&tools);
}
END_TEST

START_TEST(no_key_is_left_out)
{
	const struct alg *alg = alg_row((enum alg_id)(_i / 2));
	struct test_signer signer = signer_new("k", alg);
	const char *set = str("{\"keys\":[%s]}", jwk_of(&signer, ""));
	struct alg_tools *tools = alg_tools_new();
	const char *reason;
	bool failed;
	size_t n = 0;

	ck_assert_ptr_nonnull(tools);
	do {
		fail_at(++n, _i % 2 == 1);
		struct jwks *keys = jwks_parse(tools, span_of(set), NULL, &reason);
		failed = want.failed;
		fail_at(0, false);
		ck_assert_msg(keys == NULL ? reason == jwk_no_memory : keys->n == 1,
		    "%.*s: allocation %zu: %s", SPAN_ARG(alg->name), n,
		    keys == NULL ? reason : "the key is not there");
		jwks_free(&keys);
	} while (failed && n < ALLOCATIONS_MAX);
	ck_assert_uint_lt(n, ALLOCATIONS_MAX);
	alg_tools_free(&tools);
}
END_TEST

/* jansson drops characters of a string that finds no memory: keys would come from elsewhere. */
START_TEST(no_address_is_cut_short)
{
	const char *uri = "https://id.test/realms/shop/protocol/openid-connect/certs";
	const char *document = str("{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", ISSUER, uri);
	char found[256];
	bool failed;
	size_t n = 0;

	do {
		fail_at(++n, false);
		const char *wrong = discovery_read(span_of(document), ISSUER, found, sizeof(found));
		failed = want.failed;
		fail_at(0, false);
		ck_assert_msg(wrong != NULL || strcmp(found, uri) == 0, "%zu: %s", n, found);
		ck_assert(failed || wrong == NULL);
	} while (failed && n < ALLOCATIONS_MAX);
}
END_TEST

/* OpenSSL itself leaks a little where it runs out of memory. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

int
main(void)
{
	Suite *suite = suite_create("token_memory");
	TCase *t = tcase_create("memory");

	/* before OpenSSL has allocated anything, or it refuses */
	if (CRYPTO_set_mem_functions(take, take_more, give_back) != 1)
		return EXIT_FAILURE;
	json_set_alloc_funcs(take_json, free);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, no_good_signature_is_bad, 0, ROWS);
	tcase_add_loop_test(t, no_key_is_left_out, 0, ROWS);
	tcase_add_test(t, no_address_is_cut_short);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
