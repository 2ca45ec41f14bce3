/*
 * What the keeper does with a key set before anybody may use it: where it is, whether it changed,
 * whether it is good.
 */
#include "gateway/issuer_keys.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/discovery.h"
#include "gateway/key_file.h"
#include "gateway/token/alg.h"
#include "tests/unit/shm_memory.h"

#define POINT	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
		"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define KEY(kid) "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"" kid "\"," POINT "}"

static const struct config_issuer issuer = { .name = "main", .issuer = "https://id.test", .id = 7 };
static struct keys *keys;
static struct alg_tools *tools;
static struct issuer_keys k;

static void
setup(void)
{
	keys = keys_init(memory_new(keys_size()), keys_size());
	tools = alg_tools_new();
	ck_assert(issuer_keys_open(&k, &issuer, keys, tools));
}

static void
teardown(void)
{
	issuer_keys_close(&k);
	alg_tools_free(&tools);
}

static enum issuer_keys_result
take(const char *set, uint64_t now_s)
{
	const char *reason = NULL;
	enum issuer_keys_result result = issuer_keys_take(&k, span_of(set), now_s, &reason);

	ck_assert((reason != NULL) == (result == ISSUER_KEYS_REFUSED));
	return result;
}

START_TEST(good_sets_replace_each_other)
{
	struct keys_info info;

	ck_assert_int_eq(take("{\"keys\":[" KEY("a") "]}", 100), ISSUER_KEYS_CHANGED);
	ck_assert_int_eq(take("{\"keys\":[" KEY("a") "]}", 160), ISSUER_KEYS_SAME);
	ck_assert(keys_info(&k.slot, &info));
	ck_assert_uint_eq(info.generation, 1);
	ck_assert_uint_eq(info.fetched_at_s, 160);
	ck_assert_int_eq(take("{\"keys\":[" KEY("a") "," KEY("b") "]}", 170), ISSUER_KEYS_CHANGED);
	ck_assert_uint_eq(keys_generation(&k.slot), 2);
}
END_TEST

static const char *const spoilt[] = {
	"", "<html>Service unavailable</html>", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}",
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
	"{\"keys\":[" KEY("a") "," KEY("a") "]}",
	"{\"keys\":[" KEY("a") "]",
	"{\"keys\":[],\"keys\":[" KEY("a") "]}",
};

START_TEST(spoilt_sets_leave_the_last_good_one)
{
	static const char good[] = "{\"keys\":[" KEY("good") "]}";
	char bytes[1024];
	uint64_t generation;

	ck_assert_int_eq(take(good, 100), ISSUER_KEYS_CHANGED);
	ck_assert_int_eq(take(spoilt[_i], 200), ISSUER_KEYS_REFUSED);
	ck_assert_uint_eq(keys_read(&k.slot, bytes, sizeof(bytes), &generation), sizeof(good) - 1);
	ck_assert_mem_eq(bytes, good, sizeof(good) - 1);
	ck_assert_uint_eq(generation, 1);
}
END_TEST

START_TEST(a_new_keeper_goes_on_from_the_old_one)
{
	static const char set[] = "{\"keys\":[" KEY("a") "]}";

	ck_assert_int_eq(take(set, 100), ISSUER_KEYS_CHANGED);
	issuer_keys_close(&k);
	ck_assert(issuer_keys_open(&k, &issuer, keys, tools));
	ck_assert_ptr_nonnull(k.set);
	ck_assert(issuer_keys_hold(&k, set, sizeof(set) - 1));
	ck_assert_int_eq(take(set, 200), ISSUER_KEYS_SAME);
}
END_TEST

START_TEST(where_discovery_looks)
{
	char url[128];

	ck_assert(discovery_url("https://id.test/realms/a", url, sizeof(url)));
	ck_assert_str_eq(url, "https://id.test/realms/a/.well-known/openid-configuration");
	ck_assert(discovery_url("https://id.test/", url, sizeof(url)));
	ck_assert_str_eq(url, "https://id.test/.well-known/openid-configuration");
	ck_assert(!discovery_url("https://id.test/realms/a", url, 40));
}
END_TEST

START_TEST(where_tokens_are_asked_about)
{
	char found[64];

	ck_assert_ptr_null(discovery_read_introspection(SPAN("{\"issuer\":\"https://a.test\","
	    "\"introspection_endpoint\":\"https://b.test/i\"}"), "https://a.test", found,
	    sizeof(found)));
	ck_assert_str_eq(found, "https://b.test/i");
	ck_assert_str_eq(discovery_read_introspection(SPAN("{\"issuer\":\"https://a.test\","
	    "\"jwks_uri\":\"https://a.test/j\"}"), "https://a.test", found, sizeof(found)),
	    "the discovery document has no usable introspection_endpoint");
	ck_assert_str_eq(discovery_read_introspection(SPAN("{\"issuer\":\"https://a.test\","
	    "\"introspection_endpoint\":\"http://a.test/i\"}"), "https://a.test", found,
	    sizeof(found)),
	    "the discovery document has an introspection_endpoint that is not https");
}
END_TEST

/* One row: the document, the issuer that was asked, the jwks_uri or NULL if it is refused. */
static const struct {
	const char	*document;
	const char	*issuer;
	const char	*jwks_uri;
} documents[] = {
	{ "{\"issuer\":\"https://a.test\",\"jwks_uri\":\"https://k.test/j\"}", "https://a.test",
	    "https://k.test/j" },
	{ "{\"issuer\":\"https://localhost\",\"jwks_uri\":\"http://127.0.0.1:9/j\"}",
	    "https://localhost", "http://127.0.0.1:9/j" },
	{ "{\"issuer\":\"https://a.test\",\"jwks_uri\":\"http://127.0.0.1:9/j\"}",
	    "https://a.test", NULL },
	{ "{\"issuer\":\"http://a.test\",\"jwks_uri\":\"http://a.test/j\"}", "http://a.test",
	    "http://a.test/j" },
	{ "{\"issuer\":\"https://a.test\",\"jwks_uri\":\"http://a.test/j\"}",
	    "https://a.test", NULL },
	{ "{\"issuer\":\"https://a.test/\",\"jwks_uri\":\"https://a.test/j\"}",
	    "https://a.test", NULL },
	{ "{\"issuer\":\"https://b.test\",\"jwks_uri\":\"https://a.test/j\"}",
	    "https://a.test", NULL },
	{ "{\"issuer\":\"https://a.test\",\"jwks_uri\":\"file:///etc/passwd\"}",
	    "https://a.test", NULL },
	{ "{\"issuer\":\"https://a.test\",\"jwks_uri\":7}",
	    "https://a.test", NULL },
	{ "{\"issuer\":\"https://a.test\"}",
	    "https://a.test", NULL },
	{ "{\"jwks_uri\":\"https://a.test/j\"}",
	    "https://a.test", NULL },
	{ "{\"issuer\":\"x\",\"issuer\":\"https://a.test\",\"jwks_uri\":\"https://a.test/j\"}",
	    "https://a.test", NULL },
	{ "<html>",
	    "https://a.test", NULL },
};

START_TEST(what_discovery_takes)
{
	char uri[64] = "";
	const char *wrong = discovery_read(span_of(documents[_i].document), documents[_i].issuer,
	    uri, sizeof(uri));

	ck_assert((wrong == NULL) == (documents[_i].jwks_uri != NULL));
	if (wrong == NULL)
		ck_assert_str_eq(uri, documents[_i].jwks_uri);
}
END_TEST

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	fputs(text, file);
	fclose(file);
}

START_TEST(files_are_read_when_they_change)
{
	char folder[] = "/tmp/gatehouse-keys-XXXXXX", path[64], buf[16];
	struct key_file f = { 0 };
	const char *reason = NULL;
	struct stat s;
	size_t n;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/jwks.json", folder);
	ck_assert_int_eq(key_file_look(&f, path, 0, buf, sizeof(buf), &n, &reason),
	    KEY_FILE_FAILED);
	write_file(path, "one");
	ck_assert_int_eq(stat(path, &s), 0);
	ck_assert_int_eq(key_file_look(&f, path, s.st_mtime, buf, sizeof(buf), &n, &reason),
	    KEY_FILE_READ);
	ck_assert(span_eq(span_make(buf, n), SPAN("one")));
	/* within a tick of its time it could change unseen */
	ck_assert_int_eq(key_file_look(&f, path, s.st_mtime + 1, buf, sizeof(buf), &n, &reason),
	    KEY_FILE_READ);
	ck_assert_int_eq(key_file_look(&f, path, s.st_mtime + 10, buf, sizeof(buf), &n, &reason),
	    KEY_FILE_SAME);
	write_file(path, "other");
	ck_assert_int_eq(key_file_look(&f, path, s.st_mtime + 10, buf, sizeof(buf), &n, &reason),
	    KEY_FILE_READ);
	write_file(path, "much longer than the buffer is");
	ck_assert_int_eq(key_file_look(&f, path, s.st_mtime + 10, buf, sizeof(buf), &n, &reason),
	    KEY_FILE_FAILED);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(key_file_look(&f, path, s.st_mtime, buf, sizeof(buf), &n, &reason),
	    KEY_FILE_FAILED);
	unlink(path);
	rmdir(folder);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("issuer_keys");
	TCase *t = tcase_create("issuer_keys");
	SRunner *runner = srunner_create(suite);

	log_open("-", LOG_LEVEL_ERROR);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, good_sets_replace_each_other);
	tcase_add_loop_test(t, spoilt_sets_leave_the_last_good_one, 0,
	    (int)(sizeof(spoilt) / sizeof(spoilt[0])));
	tcase_add_test(t, a_new_keeper_goes_on_from_the_old_one);
	tcase_add_test(t, where_discovery_looks);
	tcase_add_test(t, where_tokens_are_asked_about);
	tcase_add_loop_test(t, what_discovery_takes, 0,
	    (int)(sizeof(documents) / sizeof(documents[0])));
	tcase_add_test(t, files_are_read_when_they_change);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
