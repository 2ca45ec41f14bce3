#include "gateway/cli/audit_keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/cli/fetch_wait.h"
#include "gateway/discovery.h"
#include "gateway/http/fetch.h"
#include "gateway/http/url.h"
#include "gateway/token/jwk.h"

#define URL_MAX	(URL_TARGET_MAX + URL_HOST_MAX + 64)

static bool fail(struct audit_keys *keys, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool
fail(struct audit_keys *keys, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(keys->why, sizeof(keys->why), format, ap);
	va_end(ap);
	return false;
}

/* Fetches to the end, or to its deadline. */
static bool
run_fetch(struct audit_keys *keys, struct fetch *f, const char *url, struct span *body)
{
	enum run run = fetch_wait(f);
	const struct fetch_result *result = fetch_result(f);

	if (run == RUN_FAIL)
		return fail(keys, "%s can't be fetched: %s", url, result->reason);
	if (result->status != 200)
		return fail(keys, "%s answers %u", url, result->status);
	body->p = OPENSSL_memdup(result->body.p, result->body.n);
	body->n = body->p == NULL ? 0 : result->body.n;
	return body->n > 0 || fail(keys, "%s answers nothing", url);
}

/* Gets a URL's body, to be freed with OPENSSL_free(); false after saying why not. */
static bool
get_once(struct audit_keys *keys, const char *url, const char *ca_file, uint64_t timeout_ms,
    struct span *body)
{
	const struct fetch_request request = { .url = url, .accept = "application/json",
		.ca_file = ca_file, .max_bytes = JWKS_MAX, .timeout_ms = timeout_ms,
		.redirects = FETCH_REDIRECTS_MAX };
	struct fetch *f = fetch_begin(&request, clock_ms());
	bool good = f != NULL ? run_fetch(keys, f, url, body) : fail(keys, "there is no memory");

	fetch_end(&f);
	return good;
}

static bool
get(struct audit_keys *keys, const char *url, const char *ca_file, uint64_t timeout_ms,
    struct span *body)
{
	return get_once(keys, url, NULL, timeout_ms, body) ||
	    (ca_file != NULL && get_once(keys, url, ca_file, timeout_ms, body));
}

static bool
read_file(struct audit_keys *keys, const char *path, struct span *body)
{
	FILE *file = fopen(path, "re");
	char *bytes = OPENSSL_malloc(JWKS_MAX);

	if (file != NULL && bytes != NULL) {
		*body = span_make(bytes, fread(bytes, 1, JWKS_MAX, file));
		fclose(file);
		return true;
	}
	fail(keys, "%s can't be read: %s", path, strerror(errno));
	if (file != NULL)
		fclose(file);
	OPENSSL_free(bytes);
	return false;
}

/* RFC 8414 section 3.1: the well-known path goes between the host and the issuer's own path. */
static bool
metadata_url(const struct url *issuer, char *out, size_t size)
{
	size_t n = strlen(issuer->target);

	while (n > 0 && issuer->target[n - 1] == '/')
		n--;
	return (size_t)snprintf(out, size, "%s://%s/.well-known/oauth-authorization-server%.*s",
	    issuer->https ? "https" : "http", issuer->authority, (int)n, issuer->target) < size;
}

/* Asks one document where the keys are. */
static bool
discover(struct audit_keys *keys, const char *url, const char *iss, const char *ca_file,
    uint64_t timeout_ms, char jwks_uri[URL_MAX])
{
	struct span body = { NULL, 0 };
	const char *wrong;

	if (!get(keys, url, ca_file, timeout_ms, &body))
		return false;
	wrong = discovery_read(body, iss, jwks_uri, URL_MAX);
	OPENSSL_free((char *)(uintptr_t)body.p);
	return wrong == NULL || fail(keys, "%s: %s", url, wrong);
}

/* The key set of the issuer that the token names. */
static bool
ask_issuer(struct audit_keys *keys, const char *iss, const char *ca_file, uint64_t timeout_ms,
    struct span *body)
{
	char url[URL_MAX], jwks_uri[URL_MAX];
	struct url issuer;

	if (iss == NULL || !url_parse(&issuer, span_of(iss)))
		return fail(keys, "the token names no issuer that could be asked; give --jwks");
	if (!issuer.https && !url_is_loopback(&issuer))
		return fail(keys, "the token's issuer is not on https; give --jwks");
	if (!(discovery_url(iss, url, sizeof(url)) &&
	    discover(keys, url, iss, ca_file, timeout_ms, jwks_uri)) &&
	    !(metadata_url(&issuer, url, sizeof(url)) &&
	    discover(keys, url, iss, ca_file, timeout_ms, jwks_uri)))
		return false;
	return get(keys, jwks_uri, ca_file, timeout_ms, body);
}

/* How well a key fits a token: 0 not at all, 3 by its very name. */
static int
fitness(const struct jwk *key, const json_t *header)
{
	const json_t *kid = json_object_get(header, "kid");
	const char *name = json_string_value(json_object_get(header, "alg"));
	const struct alg *alg = alg_find(span_of(name));

	if (key->key.pkey == NULL)
		return 0;
	if (json_is_string(kid) && key->has_kid && span_eq(span_make(key->kid, key->kid_n),
	    span_make(json_string_value(kid), json_string_length(kid))))
		return 3;
	return alg != NULL && (key->algorithms & ALG_BIT(alg->id)) != 0 ? 2 : 1;
}

static bool
choose(struct audit_keys *keys, const json_t *set, struct alg_tools *tools, const json_t *header)
{
	int best = 0;
	size_t i;
	json_t *members;

	json_array_foreach(set, i, members) {
		struct jwk key = { 0 };
		int fit = jwk_parse(tools, members, &key) == NULL ? fitness(&key, header) : 0;

		if (fit > best && EVP_PKEY_up_ref(key.key.pkey) == 1) {
			best = fit;
			EVP_PKEY_free(keys->pkey);
			free(keys->jwk);
			keys->pkey = key.key.pkey;
			keys->jwk = json_dumps(members, JSON_COMPACT);
		}
		jwk_fini(&key);
	}
	return best > 0 && keys->jwk != NULL;
}

/* Takes the one that fits best out of a set, or out of a lone JWK. */
static bool
read_keys(struct audit_keys *keys, struct span body, const json_t *header)
{
	struct alg_tools *tools = alg_tools_new();
	json_t *root = json_loadb(body.p, body.n, 0, NULL);
	json_t *set = json_incref(json_object_get(root, "keys"));

	if (set == NULL && json_is_object(root))
		set = json_pack("[O]", root);
	bool good = tools != NULL && choose(keys, set, tools, header);
	json_decref(set);
	json_decref(root);
	alg_tools_free(&tools);
	return good || fail(keys, "there is no public key in the key set");
}

void
audit_keys_find(struct audit_keys *keys, const char *from, const json_t *header,
    const json_t *claims, const char *ca_file, uint64_t timeout_ms)
{
	struct span body = { NULL, 0 }, text = span_of(from);
	bool found;

	*keys = (struct audit_keys){ 0 };
	if (from == NULL)
		found = ask_issuer(keys, json_string_value(json_object_get(claims, "iss")), ca_file,
		    timeout_ms, &body);
	else if (span_starts_nocase(text, SPAN("http://")) ||
	    span_starts_nocase(text, SPAN("https://")))
		found = get(keys, from, ca_file, timeout_ms, &body);
	else
		found = read_file(keys, from, &body);
	if (found && !read_keys(keys, body, header)) {
		EVP_PKEY_free(keys->pkey);
		keys->pkey = NULL;
	}
	OPENSSL_free((char *)(uintptr_t)body.p);
}

void
audit_keys_fini(struct audit_keys *keys)
{
	EVP_PKEY_free(keys->pkey);
	free(keys->jwk);
	*keys = (struct audit_keys){ 0 };
}
