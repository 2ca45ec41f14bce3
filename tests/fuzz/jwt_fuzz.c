/*
 * Tokens, with a fixed set of keys. An input that begins with "{" is a header and claims (one line
 * each), which are signed here, so that the fuzzer gets past the signature; any other is a token as
 * it stands. What must hold: a token is active only if its signature is by our key, and its claims,
 * read by jansson, say what an active token must say. Of the issuer that is our own, what is
 * exchanged from it names it and all its ancestors.
 */
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/base/encode.h"
#include "gateway/base/text.h"
#include "gateway/token/doc.h"
#include "gateway/token/jwt.h"
#include "gateway/token/lineage.h"
#include "shm/keys.h"
#include "tests/fuzz/fuzz.h"

#define NOW		INT64_C(1800000000)
#define ISSUER		"https://id.test"
#define MAX_BYTES	4096

/* "k" is the secret's 32 bytes; the curve's point is that of RFC 7515 appendix A.3. */
static const char secret[] = "an HMAC secret of 32 whole bytes";
static const char key_set[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"alg\":\"HS256\","
    "\"k\":\"YW4gSE1BQyBzZWNyZXQgb2YgMzIgd2hvbGUgYnl0ZXM\"},"
    "{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static const char *algorithms[] = { "HS256", "ES256" };
static struct span audience[] = { { "api", 3 } };
static struct span types[] = { { "at+jwt", 6 }, { "jwt", 3 }, { "", 0 } };

static struct config_issuer issuer = {
	.name = "main", .issuer = ISSUER, .audience = audience, .n_audience = 1,
	.algorithms = algorithms, .n_algorithms = 2, .token_types = types, .n_token_types = 3,
	.consumer_claim = "", .scope_claim = "", .leeway_s = 5, .max_token = 8192, .id = 11,
	.rules = 1, .own = true,
};
static struct config_claim_header header = { "email", "X-Email" };
static struct config_route route = { .name = "all", .claim_headers = &header,
    .n_claim_headers = 1 };
static struct config config = { .issuers = &issuer, .n_issuers = 1, .routes = &route,
    .n_routes = 1 };

static struct jwt_checker *
open_checker(void)
{
	static struct jwt_checker *checker;
	struct keys_slot slot;

	if (checker != NULL)
		return checker;
	struct keys *keys = keys_init(calloc(1, keys_size()), keys_size());
	struct alg_tools *tools = alg_tools_new();
	fuzz_must(keys != NULL && tools != NULL && keys_slot(keys, issuer.id, true, &slot) &&
	    keys_publish(&slot, key_set, sizeof(key_set) - 1, NOW));
	checker = jwt_checker_new(&config, keyring_open(&config, keys, tools), tools);
	fuzz_must(checker != NULL);
	return checker;
}

static void
put_b64(struct text *t, struct span s)
{
	char out[BASE64URL_ENCODED(MAX_BYTES)];

	text_put(t, span_make(out, base64url_encode((const uint8_t *)s.p, s.n, out)));
}

static void
put_signature(struct text *t, struct span input)
{
	uint8_t tag[32];
	unsigned n = 0;

	fuzz_must(HMAC(EVP_sha256(), secret, sizeof(secret) - 1, (const uint8_t *)input.p, input.n,
	    tag, &n) != NULL && n == sizeof(tag));
	text_char(t, '.');
	put_b64(t, span_make(tag, n));
}

/* Signs the header and the claims of the input; anything else is a token already. */
static struct span
make_token(struct text *t, struct span input)
{
	const char *line = input.n > 0 && input.p[0] == '{' ? memchr(input.p, '\n', input.n) : NULL;

	if (line == NULL)
		return input;
	size_t n = (size_t)(line - input.p);
	put_b64(t, span_make(input.p, n));
	text_char(t, '.');
	put_b64(t, span_skip(input, n + 1));
	put_signature(t, text_span(t));
	return text_span(t);
}

static bool
names_audience(const json_t *aud)
{
	if (!json_is_array(aud))
		return aud != NULL && strcmp(json_string_value(aud), "api") == 0;
	for (size_t i = 0; i < json_array_size(aud); i++)
		if (strcmp(json_string_value(json_array_get(aud, i)), "api") == 0)
			return true;
	return false;
}

/* The three parts of an active token by other means. */
static void
must_be_right(struct span token)
{
	static char room[8192];
	struct text again = TEXT_OVER(room);
	uint8_t bytes[BASE64URL_DECODED(8192)];
	struct span rest = token, head, claims;
	json_error_t error;
	size_t n;

	fuzz_must(span_next(&rest, '.', &head) && span_next(&rest, '.', &claims));
	fuzz_must(base64url_decode(claims, bytes, &n));
	text_put(&again, span_make(token.p, head.n + 1 + claims.n));
	put_signature(&again, text_span(&again));
	fuzz_must(span_eq(text_span(&again), token));
	json_t *json = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, &error);
	/* a claim nobody asks for may be a number that is too large for jansson */
	if (json == NULL && json_error_code(&error) == json_error_numeric_overflow)
		return;
	fuzz_must(json != NULL);
	const char *iss = json_string_value(json_object_get(json, "iss"));
	fuzz_must(iss != NULL && strcmp(iss, ISSUER) == 0);
	fuzz_must(json_number_value(json_object_get(json, "exp")) > (double)NOW);
	fuzz_must(names_audience(json_object_get(json, "aud")));
	if (json_object_get(json, "nbf") != NULL)
		fuzz_must(json_number_value(json_object_get(json, "nbf")) <= (double)(NOW + 5));
	json_decref(json);
}

static void
must_be_lines(struct span headers)
{
	for (size_t i = 0; i < headers.n; i++) {
		unsigned char c = (unsigned char)headers.p[i];

		fuzz_must(c != '\r' || (i + 1 < headers.n && headers.p[i + 1] == '\n'));
		fuzz_must(c != '\n' || (i > 0 && headers.p[i - 1] == '\r'));
		fuzz_must(c >= 0x20 || c == '\r' || c == '\n');
	}
	fuzz_must(headers.n == 0 || headers.p[headers.n - 1] == '\n');
}

/* The claims of a token that is exchanged from these facts, long enough for any of them. */
static struct text
exchange(const struct facts *f)
{
	size_t room = lineage_room(f) + 6 * (size_t)f->size + 256;
	struct text t = { malloc(room), 0, room, false };

	fuzz_must(t.p != NULL);
	text_str(&t, "{\"iss\":\"" ISSUER "\",\"aud\":\"api\",\"exp\":1800000100,\"jti\":\"new\","
	    "\"client_id\":\"c\",\"sub\":");
	text_json(&t, facts_get(f, FACTS_SUBJECT));
	if (facts_get(f, FACTS_ACT).n > 0) {
		text_str(&t, ",\"act\":");
		text_put(&t, facts_get(f, FACTS_ACT));
	}
	text_str(&t, ",\"" LINEAGE_CLAIM "\":");
	size_t before = t.n;
	lineage_write(&t, f, SPAN(ISSUER));
	fuzz_must(!t.cut && t.n - before <= lineage_room(f));
	text_char(&t, '}');
	return t;
}

static void
must_descend(const struct facts *child, const struct facts *f)
{
	struct span rest = facts_get(child, FACTS_LINEAGE), theirs = facts_get(f, FACTS_LINEAGE);
	struct ancestor a, b;

	while (lineage_next(f, &theirs, &b)) {
		fuzz_must(lineage_next(child, &rest, &a));
		fuzz_must(memcmp(a.identity, b.identity, IDENTITY_SIZE) == 0);
		fuzz_must(span_eq(a.issuer, b.issuer) && span_eq(a.subject, b.subject) &&
		    span_eq(a.client, b.client) && span_eq(a.kid, b.kid) &&
		    span_eq(a.session, b.session) && a.issued_s == b.issued_s);
	}
	fuzz_must(theirs.n == 0 && lineage_next(child, &rest, &a) && rest.n == 0);
	fuzz_must(memcmp(a.identity, f->identity, IDENTITY_SIZE) == 0);
	fuzz_must(span_eq(a.session, facts_get(f, FACTS_SESSION)) && a.issued_s == f->iat_s);
	fuzz_must(span_eq(facts_get(child, FACTS_ACT), facts_get(f, FACTS_ACT)));
}

static void
must_be_exchangeable(const struct facts *f)
{
	static _Alignas(16) char memory[1 << 17];
	struct jwt_answer answer;
	struct arena arena;

	if (facts_get(f, FACTS_SUBJECT).n == 0 || lineage_depth(f) == LINEAGE_MAX)
		return;
	struct text t = exchange(f);
	const struct jwt_claims said = { .text = t.p, .n = t.n };
	arena_init(&arena, memory, sizeof(memory), 0);
	enum verdict verdict = jwt_believe(open_checker(), &said, NOW, &arena, &answer);
	fuzz_must(verdict == VERDICT_ACTIVE || verdict == VERDICT_TOO_LARGE);
	if (verdict == VERDICT_ACTIVE)
		must_descend(answer.facts, f);
	arena_reset(&arena);
	free(t.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static _Alignas(16) char memory[1 << 17];
	static char room[8192];
	struct text t = TEXT_OVER(room);
	struct jwt_answer answer;
	struct arena arena;
	struct span value;

	if (n > MAX_BYTES)
		return 0;
	arena_init(&arena, memory, sizeof(memory), 0);
	struct span token = fuzz_copy(make_token(&t, span_make(data, n)));
	enum verdict verdict = jwt_check(open_checker(), token, NOW, &arena, &answer);
	fuzz_must((verdict == VERDICT_ACTIVE) == (answer.facts != NULL));
	if (verdict == VERDICT_ACTIVE) {
		must_be_right(token);
		must_be_lines(facts_get(answer.facts, FACTS_HEADERS));
		if (facts_claim(answer.facts, SPAN("email"), &value))
			for (size_t i = 0; i < value.n; i++)
				fuzz_must((unsigned char)value.p[i] >= 0x20 && value.p[i] != 0x7f);
		must_be_exchangeable(answer.facts);
	}
	arena_reset(&arena);
	fuzz_free(token);
	return 0;
}
