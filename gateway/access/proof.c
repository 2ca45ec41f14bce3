#include "gateway/access/proof.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "gateway/base/encode.h"
#include "gateway/token/sign.h"
#include "gateway/token/uuid.h"

#define ASSERTION_S	60	/* how long one is good */
#define FORM_FIXED	256	/* names of parameters */
#define CLAIMS_FIXED	160	/* names of members, numbers */
#define ESCAPED_MAX	6	/* bytes that a byte becomes in JSON at most */
#define ENCODED_MAX	3	/* the same in a form */

struct proof {
	const struct config_issuer	*issuer;
	struct alg_tools		*tools;
	char				*authorization;	/* NULL: none */
	struct sign_key			 key;		/* of private_key_jwt */
	char				*header;	/* of its assertions, base64url */
	size_t				 header_n;
};

static const struct config_introspection *
config_of(const struct proof *p)
{
	return &p->issuer->introspection;
}

/* "Basic ", and base64 of "id:secret", each form-encoded. */
static bool
write_basic(struct proof *p)
{
	const struct config_introspection *in = config_of(p);
	size_t n = strlen(in->client_id) + strlen(in->client_secret);
	struct text pair = { malloc(ENCODED_MAX * n + 1), 0, ENCODED_MAX * n + 1, false };

	p->authorization = malloc(sizeof("Basic ") + BASE64_ENCODED(pair.size));
	if (pair.p == NULL || p->authorization == NULL) {
		free(pair.p);
		return false;
	}
	text_form(&pair, span_of(in->client_id));
	text_char(&pair, ':');
	text_form(&pair, span_of(in->client_secret));
	memcpy(p->authorization, "Basic ", 6);
	n = base64_encode((const uint8_t *)pair.p, pair.n, p->authorization + 6);
	p->authorization[6 + n] = '\0';
	OPENSSL_cleanse(pair.p, pair.n);
	free(pair.p);
	return true;
}

/* Nobody is there to be asked for a pass phrase. */
static int
no_pass_phrase(char *buffer, int size, int writing, void *argument)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)argument;
	return -1;
}

static EVP_PKEY *
read_pem(struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *pkey = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);

	BIO_free(bio);
	return pkey;
}

/* Makes the key ready for the one algorithm that is its own. */
static bool
open_key(struct proof *p, const char **why)
{
	static const enum alg_id algs[] = { ALG_ID_RS256, ALG_ID_ES256, ALG_ID_EdDSA };
	EVP_PKEY *pkey = read_pem(config_of(p)->private_key);
	PKCS8_PRIV_KEY_INFO *info = pkey == NULL ? NULL : EVP_PKEY2PKCS8(pkey);
	unsigned char *der = NULL;
	int n = info == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	bool good = false;

	*why = pkey == NULL ? "private_key_file holds no private key in PEM without a pass phrase" :
	    "private_key_file holds no RSA key of 2048 bits or more, P-256 key, or Ed25519 key";
	for (size_t i = 0; n > 0 && !good && i < sizeof(algs) / sizeof(algs[0]); i++)
		good = sign_open(&p->key, p->tools, alg_row(algs[i]),
		    span_make(der, (size_t)n));
	OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return good;
}

/* {"alg":...,"kid":...,"typ":"JWT"}, which stays the same. */
static bool
write_header(struct proof *p)
{
	struct span kid = span_of(config_of(p)->key_id);
	size_t room = 64 + ESCAPED_MAX * kid.n;
	struct text t = { malloc(room), 0, room, false };

	p->header = malloc(BASE64URL_ENCODED(room));
	if (t.p != NULL && p->header != NULL) {
		text_put(&t, SPAN("{\"alg\":\""));
		text_put(&t, p->key.alg->name);
		text_put(&t, SPAN("\",\"typ\":\"JWT\""));
		if (kid.n > 0) {
			text_put(&t, SPAN(",\"kid\":"));
			text_json(&t, kid);
		}
		text_char(&t, '}');
		p->header_n = base64url_encode((const uint8_t *)t.p, t.n, p->header);
	}
	free(t.p);
	return p->header_n > 0;
}

static bool
prepare(struct proof *p, const char **why)
{
	switch (config_of(p)->auth) {
	case INTROSPECTION_AUTH_BASIC:
		return write_basic(p);
	case INTROSPECTION_AUTH_POST:
		return true;
	case INTROSPECTION_AUTH_PRIVATE_KEY_JWT:
		if (!open_key(p, why))
			return false;
		*why = "there is no memory";
		return write_header(p);
	}
	return false;
}

struct proof *
proof_open(const struct config_issuer *issuer, struct alg_tools *tools, const char **why)
{
	struct proof *p = calloc(1, sizeof(*p));

	*why = "there is no memory";
	if (p == NULL)
		return NULL;
	p->issuer = issuer;
	p->tools = tools;
	if (!prepare(p, why))
		proof_close(&p);
	return p;
}

void
proof_close(struct proof **proof)
{
	struct proof *p = *proof;

	*proof = NULL;
	if (p == NULL)
		return;
	if (p->authorization != NULL)
		OPENSSL_cleanse(p->authorization, strlen(p->authorization));
	free(p->authorization);
	sign_close(&p->key);
	free(p->header);
	free(p);
}

const char *
proof_authorization(const struct proof *p)
{
	return p->authorization;
}

static size_t
claims_room(const struct proof *p)
{
	return CLAIMS_FIXED + ESCAPED_MAX * (2 * strlen(config_of(p)->client_id) +
	    strlen(p->issuer->issuer));
}

size_t
proof_room(const struct proof *p)
{
	const struct config_introspection *in = config_of(p);

	switch (in->auth) {
	case INTROSPECTION_AUTH_BASIC:
		return 0;
	case INTROSPECTION_AUTH_POST:
		return FORM_FIXED + ENCODED_MAX * (strlen(in->client_id) +
		    strlen(in->client_secret));
	case INTROSPECTION_AUTH_PRIVATE_KEY_JWT:
		break;
	}
	return FORM_FIXED + p->header_n + BASE64URL_ENCODED(claims_room(p)) +
	    BASE64URL_ENCODED((size_t)SIGN_MAX);
}

static bool
write_claims(const struct proof *p, struct text *t, int64_t now_s)
{
	struct span client = span_of(config_of(p)->client_id);
	uint8_t id[UUID_SIZE];
	char jti[UUID_TEXT];

	if (t->p == NULL || !uuid_now(id))
		return false;
	uuid_text(id, jti);
	text_put(t, SPAN("{\"iss\":"));
	text_json(t, client);
	text_put(t, SPAN(",\"sub\":"));
	text_json(t, client);
	text_put(t, SPAN(",\"aud\":"));
	text_json(t, span_of(p->issuer->issuer));
	text_fmt(t, ",\"jti\":\"%.*s\",\"iat\":%lld,\"exp\":%lld}", UUID_TEXT, jti,
	    (long long)now_s, (long long)now_s + ASSERTION_S);
	return !t->cut;
}

/* Appends header.claims.signature: all of it is plain in a form. */
static bool
put_assertion(struct proof *p, struct text *form, int64_t now_s)
{
	struct text claims = { malloc(claims_room(p)), 0, claims_room(p), false };
	bool good = write_claims(p, &claims, now_s);
	uint8_t signature[SIGN_MAX];
	size_t at = form->n, signed_n = 0;

	if (good && form->size - form->n >= proof_room(p) - FORM_FIXED) {
		text_put(form, span_make(p->header, p->header_n));
		text_char(form, '.');
		form->n += base64url_encode((const uint8_t *)claims.p, claims.n,
		    form->p + form->n);
		signed_n = sign_make(&p->key, p->tools, span_make(form->p + at, form->n - at),
		    signature);
		text_char(form, '.');
		form->n += base64url_encode(signature, signed_n, form->p + form->n);
	}
	free(claims.p);
	return signed_n > 0;
}

bool
proof_put(struct proof *p, struct text *form, int64_t now_wall_s)
{
	const struct config_introspection *in = config_of(p);

	switch (in->auth) {
	case INTROSPECTION_AUTH_BASIC:
		return true;
	case INTROSPECTION_AUTH_POST:
		text_put(form, SPAN("&client_id="));
		text_form(form, span_of(in->client_id));
		text_put(form, SPAN("&client_secret="));
		text_form(form, span_of(in->client_secret));
		return !form->cut;
	case INTROSPECTION_AUTH_PRIVATE_KEY_JWT:
		break;
	}
	text_put(form, SPAN("&client_assertion_type="
	    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
	    "&client_assertion="));
	return put_assertion(p, form, now_wall_s) && !form->cut;
}
