#include "gateway/token/digest.h"
#include "tests/unit/token_support.h"

#include <openssl/err.h>

static struct alg_tools *tools;
static struct test_signer signers[ALG_COUNT], others[ALG_COUNT];

/* One key a type is enough; RSA keys are slow to make. */
static void
set_up(void)
{
	tools = alg_tools_new();
	for (size_t i = 0; i < ALG_COUNT; i++) {
		const struct alg *alg = alg_row(i);
		bool again = i > 0 && span_eq(alg->kty, alg_row(i - 1)->kty) &&
		    span_eq(alg->crv, alg_row(i - 1)->crv);
		signers[i] = again ? signers[i - 1] : signer_new("k", alg);
		others[i] = again ? others[i - 1] : signer_new("other", alg);
	}
}

static struct jwks *
set_of(const char *jwk)
{
	const char *text = str("{\"keys\":[%s]}", jwk), *reason;
	struct jwks *set = jwks_parse(tools, span_of(text), "test", &reason);

	ck_assert_msg(set != NULL && set->n == 1, "%s", reason != NULL ? reason : "no key");
	return set;
}

static enum alg_result
verify(size_t i, struct jwks *set, struct span input, struct span signature)
{
	enum alg_result result = alg_verify(tools, alg_row(i), &set->keys[0].key, input, signature);

	ck_assert_uint_eq(ERR_peek_error(), 0);
	return result;
}

START_TEST(every_algorithm_verifies_what_its_key_signed)
{
	struct jwks *set = set_of(jwk_of(&signers[_i], ""));
	struct jwks *other = set_of(jwk_of(&others[_i], ""));
	struct span input = SPAN("header.claims");

	for (int round = 0; round < 3; round++) {
		struct span good = sign(&signers[_i], alg_row((size_t)_i), input);
		ck_assert_int_eq(verify(_i, set, input, good), ALG_GOOD);
		ck_assert_int_eq(verify(_i, other, input, good), ALG_BAD);
		ck_assert_int_eq(verify(_i, set, SPAN("header.Claims"), good), ALG_BAD);
		ck_assert_int_eq(verify(_i, set, SPAN(""), good), ALG_BAD);
		ck_assert_int_eq(verify(_i, set, input, good), ALG_GOOD);
	}
	jwks_free(&set);
	jwks_free(&other);
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
	struct jwks *set = set_of(jwk_of(&signers[_i], ""));
	struct span input = SPAN("header.claims");
	struct span good = sign(&signers[_i], alg_row((size_t)_i), input);
	char copy[2048];

	for (size_t bit = 0; bit < good.n * 8; bit += 5) {
		memcpy(copy, good.p, good.n);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		ck_assert_int_eq(verify(_i, set, input, span_make(copy, good.n)), ALG_BAD);
	}
	jwks_free(&set);
}
END_TEST

START_TEST(a_signature_of_another_length_is_bad)
{
	struct jwks *set = set_of(jwk_of(&signers[_i], ""));
	struct span input = SPAN("header.claims");
	struct span good = sign(&signers[_i], alg_row((size_t)_i), input);
	char longer[20000] = { 0 };

	memcpy(longer, good.p, good.n);
	for (size_t n = 0; n < good.n; n++)
		ck_assert_int_eq(verify(_i, set, input, span_make(good.p, n)), ALG_BAD);
	for (size_t n = good.n + 1; n < sizeof(longer); n += n)
		ck_assert_int_eq(verify(_i, set, input, span_make(longer, n)), ALG_BAD);
	jwks_free(&set);
}
END_TEST

START_TEST(ecdsa_refuses_numbers_out_of_range)
{
	const struct alg *alg = alg_row((size_t)_i);
	struct jwks *set = set_of(jwk_of(&signers[_i], ""));
	struct span input = SPAN("header.claims");
	struct span good = sign(&signers[_i], alg, input);
	BIGNUM *order = NULL, *s = NULL, *r = NULL;
	size_t field = alg->size / 2;
	uint8_t raw[132];

	ck_assert_int_eq(EVP_PKEY_get_bn_param(signers[_i].pkey, OSSL_PKEY_PARAM_EC_ORDER, &order),
	    1);
	r = BN_bin2bn((const uint8_t *)good.p, (int)field, NULL);
	s = BN_bin2bn((const uint8_t *)good.p + field, (int)field, NULL);
	BIGNUM *zero = BN_new(), *above = BN_new(), *negated = BN_new();
	BN_zero(zero);
	BN_add(above, order, r);
	BN_sub(negated, order, s);
	/* r + n stands for the same point coordinate, so only a range check refuses it. */
	const BIGNUM *bad[][2] = { { zero, s }, { r, zero }, { zero, zero }, { order, s },
		{ r, order }, { order, order }, { above, s } };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (BN_bn2binpad(bad[i][0], raw, (int)field) < 0 ||
		    BN_bn2binpad(bad[i][1], raw + field, (int)field) < 0)
			continue;
		ck_assert_int_eq(verify(_i, set, input, span_make(raw, alg->size)), ALG_BAD);
	}
	memset(raw, 0xff, sizeof(raw));
	ck_assert_int_eq(verify(_i, set, input, span_make(raw, alg->size)), ALG_BAD);
	/* The other spelling is valid by JWA: revocations never rest on a signature. */
	BN_bn2binpad(r, raw, (int)field);
	BN_bn2binpad(negated, raw + field, (int)field);
	ck_assert_int_eq(verify(_i, set, input, span_make(raw, alg->size)), ALG_GOOD);
	BIGNUM *numbers[] = { order, s, r, zero, above, negated };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		BN_free(numbers[i]);
	jwks_free(&set);
}
END_TEST

START_TEST(ecdsa_in_der_is_bad)
{
	struct jwks *set = set_of(jwk_of(&signers[ALG_ID_ES256], ""));
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[128];
	size_t n = sizeof(der);

	EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, signers[ALG_ID_ES256].pkey, NULL);
	ck_assert_int_eq(EVP_DigestSign(context, der, &n, (const uint8_t *)"a.b", 3), 1);
	ck_assert_int_eq(verify(ALG_ID_ES256, set, SPAN("a.b"), span_make(der, n)), ALG_BAD);
	EVP_MD_CTX_free(context);
	jwks_free(&set);
}
END_TEST

START_TEST(pss_salt_is_as_long_as_the_digest)
{
	struct jwks *set = set_of(jwk_of(&signers[ALG_ID_PS256], ""));
	struct span input = SPAN("a.b");
	const int salts[] = { 0, 20, 31, 33, 48, RSA_PSS_SALTLEN_MAX };

	for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++)
		ck_assert_int_eq(verify(ALG_ID_PS256, set, input, sign_salted(&signers[ALG_ID_PS256],
		    alg_row(ALG_ID_PS256), input, salts[i])), ALG_BAD);
	jwks_free(&set);
}
END_TEST

START_TEST(rsa_paddings_and_digests_are_not_mixed)
{
	struct jwks *set = set_of(jwk_of(&signers[ALG_ID_RS256], ""));
	struct span input = SPAN("a.b");

	for (size_t i = ALG_ID_RS256; i <= ALG_ID_PS512; i++)
		for (size_t j = ALG_ID_RS256; j <= ALG_ID_PS512; j++)
			ck_assert_int_eq(verify(j, set, input, sign(&signers[ALG_ID_RS256],
			    alg_row(i), input)), i == j ? ALG_GOOD : ALG_BAD);
	jwks_free(&set);
}
END_TEST

/* SHA-256's DigestInfo before the digest, and the same without the NULL parameter. */
static const char info[] =
    "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
static const char bare[] =
    "\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20";

/* Signs a block "00 type ff... 00 payload garbage" as it is, whatever RSASSA-PKCS1-v1_5 says. */
static struct span
sign_block(uint8_t type, size_t pad, struct span payload, size_t garbage)
{
	uint8_t block[256] = { 0, type };
	uint8_t *out = keep(malloc(256)), *at = block + 2;
	size_t n = 256;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(signers[ALG_ID_RS256].pkey, NULL);

	ck_assert_uint_le(2 + pad + 1 + payload.n + garbage, 256);
	memset(at, 0xff, pad);
	memcpy(at + pad + 1, payload.p, payload.n);
	ck_assert_int_eq(EVP_PKEY_sign_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_sign(context, out, &n, block, 256), 1);
	EVP_PKEY_CTX_free(context);
	return span_make(out, n);
}

START_TEST(rsa_padding_is_exact)
{
	struct jwks *set = set_of(jwk_of(&signers[ALG_ID_RS256], ""));
	char right[sizeof(info) - 1 + 32], null_left_out[sizeof(bare) - 1 + 32], digest[32];

	digest_sha256(SPAN("a.b"), (uint8_t *)digest);
	memcpy(right, info, sizeof(info) - 1);
	memcpy(right + sizeof(info) - 1, digest, 32);
	memcpy(null_left_out, bare, sizeof(bare) - 1);
	memcpy(null_left_out + sizeof(bare) - 1, digest, 32);
	struct span good = span_make(right, sizeof(right));
	size_t pad = 256 - 3 - good.n;
	const struct span mutants[] = {
		sign_block(1, pad - 10, good, 10), sign_block(1, 8, good, pad - 8),
		sign_block(2, pad, good, 0), sign_block(0, pad, good, 0),
		sign_block(1, pad, span_make(right, good.n - 1), 0),
		sign_block(1, 256 - 3 - sizeof(null_left_out),
		    span_make(null_left_out, sizeof(null_left_out)), 0),
		sign_block(1, 256 - 3 - 32, span_make(digest, 32), 0),
	};

	ck_assert_int_eq(verify(ALG_ID_RS256, set, SPAN("a.b"), sign_block(1, pad, good, 0)),
	    ALG_GOOD);
	for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++)
		ck_assert_int_eq(verify(ALG_ID_RS256, set, SPAN("a.b"), mutants[i]), ALG_BAD);
	jwks_free(&set);
}
END_TEST

/* Adds Ed25519's group order to S: another spelling of the same signature, if S is not checked. */
START_TEST(ed25519_refuses_s_above_the_order)
{
	static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6,
		0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
	struct jwks *set = set_of(jwk_of(&signers[ALG_ID_EdDSA], ""));
	struct span good = sign(&signers[ALG_ID_EdDSA], alg_row(ALG_ID_EdDSA), SPAN("a.b"));
	uint8_t copy[64];
	unsigned carry = 0;

	memcpy(copy, good.p, 64);
	for (size_t i = 0; i < 32; i++) {
		carry += copy[32 + i] + order[i];
		copy[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	ck_assert_int_eq(verify(ALG_ID_EdDSA, set, SPAN("a.b"), span_make(copy, 64)), ALG_BAD);
	jwks_free(&set);
}
END_TEST

START_TEST(ed25519_refuses_points_of_small_order)
{
	uint8_t signature[64] = { 1 };
	struct jwks *set = set_of(jwk_of(&signers[ALG_ID_EdDSA], ""));
	struct alg_key key = { .pkey = NULL };

	ck_assert_int_eq(verify(ALG_ID_EdDSA, set, SPAN("a.b"), span_make(signature, 64)), ALG_BAD);
	ck_assert(alg_ed_small_order(span_make(signature, 32)));
	signature[31] = 0x80;
	ck_assert(alg_ed_small_order(span_make(signature, 32)));
	ck_assert_int_eq(alg_ed_key(&key, span_make(signature, 32)), ALG_BAD);
	jwks_free(&set);
}
END_TEST

/* RFC 7515 appendices A.1 to A.3 and RFC 8037 appendix A.4. */
static const struct vector {
	enum alg_id	 alg;
	const char	*jwk;
	const char	*input;
	const char	*signature;
} vectors[] = {
	{ ALG_ID_HS256,
	  "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"
	  "PS4hcgUuTwjAzZr1Z9CAow\"}",
	  "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
	  "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
	  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" },
	{ ALG_ID_RS256,
	  "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp"
	  "-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzj"
	  "b_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZl"
	  "xvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54"
	  "h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
	  "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
	  "LmNvbS9pc19yb290Ijp0cnVlfQ",
	  "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2"
	  "Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjt"
	  "QBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6"
	  "IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw" },
	{ ALG_ID_ES256,
	  "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	  "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
	  "LmNvbS9pc19yb290Ijp0cnVlfQ",
	  "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q" },
	{ ALG_ID_EdDSA,
	  "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
	  "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
	  "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" },
};

START_TEST(the_vectors_of_the_rfcs_verify)
{
	const struct vector *v = &vectors[_i];
	struct jwks *set = set_of(v->jwk);

	ck_assert_int_eq(verify(v->alg, set, span_of(v->input), unb64(v->signature)), ALG_GOOD);
	jwks_free(&set);
}
END_TEST

START_TEST(names_are_exact)
{
	const char *const foreign[] = { "none", "None", "nOnE", "", "rs256", "RS256 ", "RS2", "HS1",
		"ES256K", "RSA-OAEP", "dir", "EdDSa", "RS256\\u0000" };

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		ck_assert_ptr_null(alg_find(span_of(foreign[i])));
	ck_assert_ptr_null(alg_find(span_make(NULL, 0)));
	ck_assert_ptr_null(alg_find(SPAN("RS256\0")));
	for (size_t i = 0; i < ALG_COUNT; i++)
		ck_assert_ptr_eq(alg_find(alg_row(i)->name), alg_row(i));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_alg");
	TCase *tc = tcase_create("alg");

	suite_add_tcase(suite, tc);
	tcase_add_unchecked_fixture(tc, set_up, NULL);
	tcase_add_loop_test(tc, every_algorithm_verifies_what_its_key_signed, 0, ALG_COUNT);
	tcase_add_loop_test(tc, every_flipped_bit_is_seen, 0, ALG_COUNT);
	tcase_add_loop_test(tc, a_signature_of_another_length_is_bad, 0, ALG_COUNT);
	tcase_add_loop_test(tc, ecdsa_refuses_numbers_out_of_range, ALG_ID_ES256, ALG_ID_EdDSA);
	tcase_add_test(tc, ecdsa_in_der_is_bad);
	tcase_add_test(tc, pss_salt_is_as_long_as_the_digest);
	tcase_add_test(tc, rsa_paddings_and_digests_are_not_mixed);
	tcase_add_test(tc, rsa_padding_is_exact);
	tcase_add_test(tc, ed25519_refuses_s_above_the_order);
	tcase_add_test(tc, ed25519_refuses_points_of_small_order);
	tcase_add_loop_test(tc, the_vectors_of_the_rfcs_verify, 0,
	    (int)(sizeof(vectors) / sizeof(vectors[0])));
	tcase_add_test(tc, names_are_exact);
	return run_suite(suite);
}
