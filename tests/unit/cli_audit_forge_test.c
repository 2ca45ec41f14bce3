/*
 * Forgeries: each is what it claims to be, changes nothing else, and none is taken for good by the
 * same code that takes the token it was made from.
 */
#include "gateway/cli/audit_forge.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "gateway/cli/audit_probe.h"
#include "gateway/token/jwk.h"
#include "tests/unit/suite.h"
#include "tests/unit/token_support.h"

static struct alg_tools *tools;
static struct test_signer signer;
static struct jwk jwk;
static struct forge f;
static const struct alg *alg;
static char memory[FORGE_MAX];
static struct text out;

/* A good token of an algorithm, and the forge over it. */
static void
setup(const char *name)
{
	const char *claims = "{\"iss\":\"https://a.test\",\"sub\":\"u\",\"exp\":1800000000,\"n\":[1]}";

	if (tools == NULL)
		tools = alg_tools_new();
	alg = alg_find(span_of(name));
	signer = signer_new("k1", alg);
	const char *header = str("{\"alg\":\"%s\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}", name);
	const char *input = str("%s.%s", b64(header, strlen(header)), b64(claims, strlen(claims)));
	struct span s = sign_salted(&signer, alg, span_of(input), -1);
	const char *token = str("%s.%s", input, b64(s.p, s.n));
	const char *text = jwk_of(&signer, "");
	json_t *members = json_loads(text, 0, NULL);

	jwk = (struct jwk){ 0 };
	ck_assert_ptr_null(jwk_parse(tools, members, &jwk));
	json_decref(members);
	ck_assert(forge_init(&f, span_of(token)));
	ck_assert(forge_is_jwt(&f) && f.alg == alg);
	f.public_key = jwk.key.pkey;
	f.public_jwk = text;
	f.expired = SPAN("e30.e30.AAAA");
}

static void
teardown(void)
{
	forge_fini(&f);
	jwk_fini(&jwk);
	EVP_PKEY_free(signer.pkey);
}

/* Makes a forgery; its text. */
static struct span
forge(forge_maker *maker, const char *argument)
{
	out = TEXT_OVER(memory);
	ck_assert_msg(maker(&f, argument, &out), "%s: %s", argument, f.why);
	ck_assert(!out.cut);
	return text_span(&out);
}

static size_t
split(struct span token, struct span part[5])
{
	size_t n = 0;

	while (n < 5 && span_next(&token, '.', &part[n]))
		n++;
	return n;
}

/* Header or claims of a forgery. */
static json_t *
part_of(struct span token, size_t i)
{
	struct span part[5];

	ck_assert_uint_ge(split(token, part), 3);
	struct span text = unb64(str("%.*s", SPAN_ARG(part[i])));
	return json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
}

static const char *
string_of(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value == NULL ? "" : value;
}

/* True if a key made this signature over this very token. */
static bool
is_signed(struct span token, struct jwk *key)
{
	struct span part[5];
	json_t *header = split(token, part) == 3 ? part_of(token, 0) : NULL;
	const struct alg *named = alg_find(span_of(string_of(header, "alg")));

	json_decref(header);
	if (named == NULL || (key->algorithms & ALG_BIT(named->id)) == 0)
		return false;
	uint8_t signature[4096];
	size_t n;
	if (part[2].n > sizeof(signature) || !base64url_decode(part[2], signature, &n))
		return false;
	return alg_verify(tools, named, &key->key, span_make(token.p, part[0].n + 1 + part[1].n),
	    span_make(signature, n)) == ALG_GOOD;
}

/* Every row of the table that forges: it can be made, differs, and the issuer's key made none. */
static void
ck_all(const char *name)
{
	size_t made = 0;

	setup(name);
	ck_assert(is_signed(f.token, &jwk));
	for (size_t i = 0; i < audit_n_probes; i++) {
		const struct audit_probe *p = &audit_probes[i];

		if (p->forge == NULL)
			continue;
		out = TEXT_OVER(memory);
		if (!p->forge(&f, p->argument, &out)) {
			ck_assert_msg(strcmp(p->name, "unused-bits") == 0, "%s", p->name);
			continue;
		}
		made++;
		ck_assert_msg(!out.cut && !span_eq(text_span(&out), f.token), "%s", p->name);
		ck_assert_msg(!is_signed(text_span(&out), &jwk), "%s passes", p->name);
		for (size_t c = 0; c < out.n; c++)
			ck_assert_msg(memory[c] > ' ' && memory[c] < 0x7f, "%s", p->name);
	}
	ck_assert_uint_gt(made, 60);
	teardown();
}

START_TEST(no_forgery_is_good)
{
	ck_all("RS256");
	ck_all("PS256");
	ck_all("ES256");
	ck_all("ES512");
	ck_all("EdDSA");
}
END_TEST

START_TEST(changes_only_what_it_says)
{
	setup("RS256");
	struct span token = forge(forge_claims, "{\"sub\":\"admin\",\"exp\":null}");
	json_t *claims = part_of(token, 1);
	ck_assert_str_eq(string_of(claims, "sub"), "admin");
	ck_assert_str_eq(string_of(claims, "iss"), "https://a.test");
	ck_assert_ptr_null(json_object_get(claims, "exp"));
	ck_assert_uint_eq(json_object_size(claims), 3);
	json_decref(claims);
	ck_assert(span_eq(span_make(token.p, f.part[0].n), f.part[0]));
	ck_assert(span_eq(span_make(token.p + token.n - f.part[2].n, f.part[2].n), f.part[2]));

	claims = part_of(forge(forge_later, NULL), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(claims, "exp")),
	    1800000000 + 365 * 24 * 3600);
	json_decref(claims);

	claims = part_of(forge(forge_recode, NULL), 1);
	ck_assert(json_equal(claims, f.claims));
	json_decref(claims);

	json_t *header = part_of(forge(forge_none_signed, "nOnE"), 0);
	ck_assert_str_eq(string_of(header, "alg"), "nOnE");
	ck_assert_str_eq(string_of(header, "kid"), "k1");
	json_decref(header);
	token = forge(forge_none, "none");
	ck_assert_int_eq(token.p[token.n - 1], '.');
	teardown();
}
END_TEST

/* HS256 over the token, with what a careless library would take for the secret. */
static void
ck_hs256(struct span token, struct span secret)
{
	struct jwk key = { .algorithms = ALG_BIT(ALG_ID_HS256) };

	ck_assert_int_eq(alg_hmac_key(&key.key, secret), ALG_GOOD);
	ck_assert(is_signed(token, &key));
	jwk_fini(&key);
}

START_TEST(takes_a_public_key_for_a_secret)
{
	static const char *const algorithms[] = { "RS256", "ES256", "EdDSA" };

	for (size_t i = 0; i < 3; i++) {
		setup(algorithms[i]);
		BIO *pem = BIO_new(BIO_s_mem());
		char *text;
		unsigned char *der = NULL;
		ck_assert_int_eq(PEM_write_bio_PUBKEY(pem, signer.pkey), 1);
		long n = BIO_get_mem_data(pem, &text);
		int der_n = i2d_PUBKEY(signer.pkey, &der);

		ck_assert_int_eq(text[n - 1], '\n');
		ck_hs256(forge(forge_confused, "pem"), span_make(text, (size_t)n));
		ck_hs256(forge(forge_confused, "chomped"), span_make(text, (size_t)n - 1));
		ck_hs256(forge(forge_confused, "der"), span_make(der, (size_t)der_n));
		ck_hs256(forge(forge_confused, "jwk"), span_of(f.public_jwk));
		OPENSSL_free(der);
		BIO_free(pem);
		teardown();
	}
}
END_TEST

START_TEST(guesses_secrets)
{
	setup("RS256");
	ck_hs256(forge(forge_secret, "secret"), SPAN("secret"));
	struct span token = forge(forge_secret, "2\n:../../file");
	ck_hs256(token, SPAN("2\n"));
	json_t *header = part_of(token, 0);
	ck_assert_str_eq(string_of(header, "kid"), "../../file");
	json_decref(header);
	teardown();
}
END_TEST

/* A key that a token brings along does verify it: only whose it is, is wrong. */
static void
ck_own(const char *how)
{
	struct span token = forge(forge_own_key, how);
	json_t *header = part_of(token, 0), *brought;
	struct jwk key = { 0 };

	if (strcmp(how, "jwk") == 0) {
		brought = json_incref(json_object_get(header, "jwk"));
	} else {
		ck_assert_int_eq(json_is_null(json_object_get(header, "jwk")), 0);
		brought = json_loads(f.own.made.public_jwk, 0, NULL);
	}
	ck_assert_ptr_null(jwk_parse(tools, brought, &key));
	ck_assert(is_signed(token, &key));
	ck_assert_ptr_null(json_object_get(brought, "d"));
	if (strcmp(how, "x5c") == 0) {
		const char *text = json_string_value(json_array_get(json_object_get(header, "x5c"),
		    0));
		unsigned char der[4096];
		const unsigned char *at = der;
		int n = EVP_DecodeBlock(der, (const unsigned char *)text, (int)strlen(text));
		X509 *certificate = d2i_X509(NULL, &at, n);

		ck_assert_ptr_nonnull(certificate);
		ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(certificate), key.key.pkey), 1);
		ck_assert_int_eq(X509_verify(certificate, key.key.pkey), 1);
		X509_free(certificate);
	}
	jwk_fini(&key);
	json_decref(brought);
	json_decref(header);
}

START_TEST(brings_a_key_of_its_own)
{
	static const char *const algorithms[] = { "RS256", "ES256", "EdDSA" };

	for (size_t i = 0; i < 3; i++) {
		setup(algorithms[i]);
		ck_own("");
		ck_own("jwk");
		ck_own("x5c");
		json_t *header = part_of(forge(forge_own_key, "jku"), 0);
		ck_assert_ptr_nonnull(strstr(string_of(header, "jku"), ".invalid/"));
		json_decref(header);
		teardown();
	}
}
END_TEST

START_TEST(spells_a_signature_otherwise)
{
	uint8_t bytes[1024];
	size_t n;

	setup("RS256");
	struct span token = forge(forge_signature, "unused"), part[5];
	ck_assert_uint_eq(split(token, part), 3);
	ck_assert_uint_eq(token.n, f.token.n);
	ck_assert(!base64url_decode(part[2], bytes, &n));	/* strict readers don't */
	token = forge(forge_signature, "bit");
	split(token, part);
	ck_assert(base64url_decode(part[2], bytes, &n));
	size_t differ = 0;
	for (size_t i = 0; i < n; i++)
		differ += bytes[i] != f.signature[i];
	ck_assert_uint_eq(differ, 1);
	teardown();
	setup("ES384");
	split(forge(forge_psychic, NULL), part);
	ck_assert(base64url_decode(part[2], bytes, &n));
	ck_assert_uint_eq(n, 96);
	while (n > 0)
		ck_assert_uint_eq(bytes[--n], 0);
	teardown();
}
END_TEST

/* Tokens that are none, or hardly: whatever is made of them, it is made or refused. */
START_TEST(anything_for_a_token)
{
	static const char *const tokens[] = { "x", ".", "..", "...", "a.b", "e30.e30.", "e30.e30.AA",
		"e30.W10.AA", "bnVsbA.bnVsbA.AA", "!.!.!", "opaque-token_with~other+marks/=",
		"eyJhbGciOjF9.eyJleHAiOiJ4In0.AAAA", "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjFlMzA4fQ.A",
		"eyJhbGciOiJub25lIn0.eyJleHAiOjkyMjMzNzIwMzY4NTQ3NzU4MDd9.AAAA" };

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct forge g;

		ck_assert(forge_init(&g, span_of(tokens[i])));
		g.why_no_key = "there is none";
		for (size_t j = 0; j < audit_n_probes; j++) {
			const struct audit_probe *p = &audit_probes[j];

			out = TEXT_OVER(memory);
			if (p->forge != NULL && (!p->jwt || forge_is_jwt(&g)) &&
			    !p->forge(&g, p->argument, &out))
				ck_assert_ptr_nonnull(g.why);
		}
		forge_fini(&g);
	}
}
END_TEST

START_TEST(the_table_is_in_order)
{
	for (size_t i = 0; i < audit_n_probes; i++) {
		const struct audit_probe *p = &audit_probes[i];

		ck_assert_msg(strchr(p->name, ' ') == NULL && strlen(p->sent) < 72, "%s", p->name);
		ck_assert(p->make != NULL);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(strcmp(p->group, audit_probes[j].group) != 0 ||
			    strcmp(p->name, audit_probes[j].name) != 0, "%s twice", p->name);
	}
}
END_TEST

SUITE_RUN("cli_audit_forge", no_forgery_is_good, changes_only_what_it_says,
    takes_a_public_key_for_a_secret, guesses_secrets, brings_a_key_of_its_own,
    spells_a_signature_otherwise, anything_for_a_token, the_table_is_in_order)
