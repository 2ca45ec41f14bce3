/*
 * Forgeries that are signed, with a key that the gateway should not believe in: the issuer's public
 * one taken for a secret, a secret that can be guessed, or one that the token brings itself.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "gateway/cli/audit_forge.h"
#include "gateway/cli/audit_forge_own.h"

#define NOWHERE	"https://gatehouse-audit.invalid/keys"

/* Appends header and claims as they are to be signed; takes the reference to the header. */
static struct span
put_input(struct forge *f, json_t *header, struct text *out)
{
	size_t from = out->n;

	forge_put_json(out, header);
	json_decref(header);
	text_char(out, '.');
	text_put(out, f->part[1]);
	return span_make(out->p + from, out->n - from);
}

/* Appends a token with the header, signed by HMAC with the secret. */
static bool
put_hs256(struct forge *f, json_t *header, struct span secret, struct text *out)
{
	unsigned char tag[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	json_object_set_new(header, "alg", json_string("HS256"));
	struct span input = put_input(f, header, out);

	if (HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)input.p, input.n,
	    tag, &n) == NULL)
		return forge_not(f, "OpenSSL can't");
	text_char(out, '.');
	forge_put_b64(out, span_make(tag, n));
	return true;
}

/* The key's text in some form; false if OpenSSL can't. */
static bool
write_key(const struct forge *f, const char *form, BIO *bio)
{
	if (strcmp(form, "der") == 0)
		return i2d_PUBKEY_bio(bio, f->public_key) == 1;
	if (strcmp(form, "jwk") == 0)
		return BIO_puts(bio, f->public_jwk) > 0;
	return PEM_write_bio_PUBKEY(bio, f->public_key) == 1;
}

bool
forge_confused(struct forge *f, const char *argument, struct text *out)
{
	BIO *bio;
	char *secret = NULL;
	bool good = false;

	if (f->public_key == NULL)
		return forge_not(f, f->why_no_key);
	bio = BIO_new(BIO_s_mem());
	if (bio != NULL && write_key(f, argument, bio)) {
		long n = BIO_get_mem_data(bio, &secret);

		if (strcmp(argument, "chomped") == 0 && n > 0)
			n--;
		good = n > 0 && put_hs256(f, json_deep_copy(f->header),
		    span_make(secret, (size_t)n), out);
	}
	BIO_free(bio);
	return good || forge_not(f, "OpenSSL can't write the key so");
}

bool
forge_secret(struct forge *f, const char *argument, struct text *out)
{
	const char *colon = strchr(argument, ':');
	size_t n = colon == NULL ? strlen(argument) : (size_t)(colon - argument);
	json_t *header = json_deep_copy(f->header);

	if (colon != NULL)
		json_object_set_new(header, "kid", json_string(colon + 1));
	return put_hs256(f, header, span_make(argument, n), out);
}

/* Says in the header where the key is to be found; false if that can't be written. */
static bool
tell_of_key(const struct forge_own *own, const char *how, json_t *header)
{
	char *certificate;
	int bad;

	json_object_del(header, "x5t");
	if (strcmp(how, "jku") == 0 || strcmp(how, "x5u") == 0)
		return json_object_set_new(header, how, json_string(NOWHERE)) == 0;
	if (strcmp(how, "jwk") == 0)
		return json_object_set_new(header, "jwk",
		    json_loads(own->made.public_jwk, 0, NULL)) == 0;
	if (strcmp(how, "x5c") != 0)
		return true;
	certificate = forge_own_certificate(own);
	bad = certificate == NULL ? -1 : json_object_set_new(header, "x5c",
	    json_pack("[s]", certificate));
	OPENSSL_free(certificate);
	return bad == 0;
}

/* The header of a token of ours; NULL if it can't be made. */
static json_t *
own_header(struct forge *f, const char *how)
{
	char alg[8];
	json_t *header;

	snprintf(alg, sizeof(alg), "%.*s", SPAN_ARG(f->own.sign.alg->name));
	header = json_deep_copy(f->header);
	json_object_set_new(header, "alg", json_string(alg));
	/* with a key beside it the token names that one; else it pretends to be the issuer's */
	if (how[0] != '\0')
		json_object_set_new(header, "kid", json_string(f->own.made.kid));
	if (tell_of_key(&f->own, how, header))
		return header;
	json_decref(header);
	return NULL;
}

bool
forge_own_key(struct forge *f, const char *argument, struct text *out)
{
	uint8_t signature[SIGN_MAX];
	json_t *header;
	size_t n;

	if (!forge_own_ready(&f->own, f->alg))
		return forge_not(f, "OpenSSL makes no key");
	header = own_header(f, argument);
	if (header == NULL)
		return forge_not(f, "OpenSSL can't");
	n = sign_make(&f->own.sign, f->own.tools, put_input(f, header, out), signature);
	if (n == 0)
		return forge_not(f, "OpenSSL can't sign");
	text_char(out, '.');
	forge_put_b64(out, span_make(signature, n));
	return true;
}
