#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "gateway/conf/address.h"
#include "gateway/conf/build.h"

/*
 * An issuer that is asked about its tokens: whom it knows us as, and by what proof. An answer that
 * somebody in between could write is as good as no check, so the endpoint is reached by TLS, or on
 * this machine, or with a warning.
 */

#define KEY_FILE_MAX	16384
/* Above this a token that was revoked works for long. */
#define TTL_WARN_S	300

static void
check_endpoint(struct build *b, const struct section *s, const struct config_issuer *i)
{
	const char *text = i->introspection.endpoint;
	struct address_url url;
	const char *why = address_url(span_of(text), &url);

	if (text[0] == '\0') {
		why = address_url(span_of(i->issuer), &url);
		if (why != NULL && i->issuer[0] != '\0')
			build_error(b, s, "endpoint", "it is missing, and the issuer is no URL, so "
			    "it can't be found by discovery: %s (accepted: https://host/path)",
			    why);
	} else if (why != NULL) {
		build_error(b, s, "endpoint", "\"%s\": %s (accepted: https://host/path)", text,
		    why);
	} else if (!url.tls && !address_is_loopback(url.host)) {
		build_warn(b, s, "endpoint", "tokens and our secret are sent without TLS to "
		    "another machine, and anybody in between can say that a token is good");
	}
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

/* True for a key that signs RS256, ES256 or EdDSA (gateway/token/sign.h). */
static bool
can_sign(const EVP_PKEY *pkey)
{
	char group[64] = "";
	size_t n;

	if (EVP_PKEY_is_a(pkey, "RSA") == 1)
		return EVP_PKEY_get_bits(pkey) >= 2048 && EVP_PKEY_get_bits(pkey) <= 16384;
	if (EVP_PKEY_is_a(pkey, "EC") == 1)
		return EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) == 1 &&
		    strcmp(group, "prime256v1") == 0;
	return EVP_PKEY_is_a(pkey, "ED25519") == 1;
}

static void
check_private_key(struct build *b, const struct section *s, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *pkey = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);

	if (pkey == NULL)
		build_error(b, s, "private_key_file", "it holds no private key in PEM (accepted: "
		    "one without a pass phrase)");
	else if (!can_sign(pkey))
		build_error(b, s, "private_key_file", "its key can't be used (accepted: RSA of "
		    "2048 bits or more, P-256, Ed25519)");
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	ERR_clear_error();
}

/* What the way of authentication needs is there, and what it can't use is told. */
static void
check_proof(struct build *b, const struct section *s, struct config_introspection *in)
{
	bool by_key = in->auth == INTROSPECTION_AUTH_PRIVATE_KEY_JWT;

	if (in->client_id[0] == '\0')
		build_error(b, s, "client_id",
		    "it is missing (accepted: what the issuer calls Gatehouse)");
	if (by_key && in->private_key_file[0] == '\0')
		build_error(b, s, "private_key_file",
		    "it is missing (private_key_jwt needs one; accepted: a PEM file)");
	if (!by_key && in->client_secret[0] == '\0')
		build_error(b, s, "client_secret", "it is missing (accepted: as in "
		    "\"${KEYCLOAK_SECRET}\"; or auth = \"private_key_jwt\")");
	if (by_key && in->client_secret[0] != '\0')
		build_warn(b, s, "client_secret", "it is not used: auth is private_key_jwt");
	if (!by_key && in->private_key_file[0] != '\0')
		build_warn(b, s, "private_key_file", "it is not used: auth is not private_key_jwt");
	if (by_key && in->private_key_file[0] != '\0') {
		in->private_key = build_read_file(b, s, "private_key_file", in->private_key_file,
		    KEY_FILE_MAX);
		if (in->private_key.n > 0)
			check_private_key(b, s, in->private_key);
	}
}

static void
warn_of_weakness(struct build *b, const struct section *s, const struct config_issuer *i)
{
	const struct config_introspection *in = &i->introspection;

	if (i->validate == VALIDATE_INTROSPECT && in->ttl_s > TTL_WARN_S)
		build_warn(b, s, "introspection_ttl",
		    "a token that the issuer has revoked may pass for %llu s",
		    (unsigned long long)in->ttl_s);
	if (i->validate == VALIDATE_BOTH && in->revalidate_s > TTL_WARN_S)
		build_warn(b, s, "revalidate",
		    "a token that the issuer has revoked may pass for %llu s",
		    (unsigned long long)in->revalidate_s);
	if (in->rate_count == 0)
		build_warn(b, s, "rate",
		    "a flood of random tokens is passed on to the issuer, call by call");
}

/* Only what every writer of a path would write the same way. */
static bool
is_plain_path(const char *path)
{
	static const char accepted[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_.~-/";
	size_t n = strlen(path);

	return n > 1 && path[0] == '/' && path[n - 1] != '/' && strspn(path, accepted) == n &&
	    strstr(path, "//") == NULL && strstr(path, "/.") == NULL;
}

/*
 * The path is the issuer's alone: whatever is below token_service.path is the token service's, and
 * two issuers could not be told apart.
 */
static void
check_place(struct build *b, const struct section *s, const struct config_issuer *i)
{
	const struct config_token_service *t = b->config->token_service;
	size_t n = t == NULL ? 0 : strlen(t->path);

	if (n > 0 && strncmp(i->backchannel_logout, t->path, n) == 0 &&
	    (i->backchannel_logout[n] == '/' || i->backchannel_logout[n] == '\0'))
		build_error(b, s, "backchannel_logout", "\"%s\" lies below token_service.path, "
		    "which is the token service's (accepted: a path of its own)",
		    i->backchannel_logout);
	for (const struct config_issuer *other = b->config->issuers; other < i; other++)
		if (strcmp(other->backchannel_logout, i->backchannel_logout) == 0)
			build_error(b, s, "backchannel_logout",
			    "issuer \"%s\" (line %d) has the same path (accepted: each once)",
			    other->name, other->line);
}

/* What of a logout could be wished for and is not had. */
static void
warn_of_forgetting(struct build *b, const struct section *s)
{
	if (b->config->database == NULL)
		build_warn(b, s, "backchannel_logout", "without a database a logout is kept in "
		    "shared memory only: it is lost when the gateway ends, and no other node "
		    "hears of it");
}

static void
build_logout(struct build *b, const struct section *s, struct config_issuer *i)
{
	const char *path = i->backchannel_logout;

	if (path[0] == '\0') {
		if (i->n_logout_audience > 0)
			build_warn(b, s, "logout_audience",
			    "it is not used: there is no backchannel_logout");
		return;
	}
	if (!is_plain_path(path))
		build_error(b, s, "backchannel_logout",
		    "\"%s\" is not accepted (accepted: a path of letters, digits and -._~ that "
		    "begins with \"/\" and does not end with it)", path);
	check_place(b, s, i);
	warn_of_forgetting(b, s);
	for (size_t n = 0; n < i->n_logout_audience; n++)
		if (i->logout_audience[n].n == 0 || span_eq(i->logout_audience[n], SPAN("*")))
			build_error(b, s, "logout_audience", "a member is empty or \"*\" "
			    "(accepted: what the issuer calls Gatehouse, as in {\"gatehouse\"})");
	if (i->n_logout_audience > 0)
		return;
	if (i->introspection.client_id[0] == '\0') {
		build_error(b, s, "backchannel_logout", "there is no logout_audience, and no "
		    "introspection.client_id (accepted: what the issuer calls Gatehouse)");
		return;
	}
	if ((i->logout_audience = build_array(b, 1, sizeof(*i->logout_audience))) != NULL)
		i->logout_audience[i->n_logout_audience++] =
		    span_of(i->introspection.client_id);
}

void
build_introspection(struct build *b, const struct section *parent, struct config_issuer *i)
{
	struct section s = section_inner(parent, "introspection", 0);

	build_fill(b, &s, &i->introspection);
	build_logout(b, parent, i);
	if (i->validate == VALIDATE_LOCAL) {
		if (i->introspection.endpoint[0] != '\0')
			build_warn(b, &s, "endpoint",
			    "it is not used: validate is \"local\" (others: introspect, both)");
		return;
	}
	check_endpoint(b, &s, i);
	check_proof(b, &s, &i->introspection);
	warn_of_weakness(b, &s, i);
}
