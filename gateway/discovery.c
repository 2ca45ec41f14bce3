#include "gateway/discovery.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "gateway/http/url.h"

bool
discovery_url(const char *issuer, char *url, size_t size)
{
	size_t n = strlen(issuer);

	if (n > 0 && issuer[n - 1] == '/')
		n--;
	return (size_t)snprintf(url, size, "%.*s/.well-known/openid-configuration", (int)n,
	    issuer) < size;
}

static struct span
member(const json_t *document, const char *name)
{
	const json_t *value = json_object_get(document, name);

	return span_make(json_string_value(value), json_string_length(value));
}

/* An issuer elsewhere must not send us to what only this machine can reach. */
static bool
is_safe(const struct url *url, const char *issuer)
{
	struct url base;

	if (url->https)
		return true;
	if (!url_parse(&base, span_of(issuer)))
		return false;
	return !base.https || (url_is_loopback(&base) && url_is_loopback(url));
}

/* A URL that the document may name, and what is said where it is of no use. */
struct place {
	const char	*member;
	const char	*unusable;
	const char	*unsafe;
};

static const char *
judge(const json_t *document, const char *issuer, const struct place *place, char *out,
    size_t size)
{
	struct span uri = member(document, place->member);
	struct url url;

	if (!span_eq(member(document, "issuer"), span_of(issuer)))
		return "the discovery document is of another issuer";
	if (uri.n == 0 || uri.n >= size || !url_parse(&url, uri))
		return place->unusable;
	if (!is_safe(&url, issuer))
		return place->unsafe;
	snprintf(out, size, "%.*s", SPAN_ARG(uri));
	return NULL;
}

static const char *
read_place(struct span document, const char *issuer, const struct place *place, char *out,
    size_t size)
{
	const char *wrong = "the discovery document is no JSON object";
	json_t *root;

	/* without memory jansson may go on with strings cut short, so malloc(3) itself is asked */
	errno = 0;
	root = json_loadb(document.p, document.n, JSON_REJECT_DUPLICATES, NULL);
	if (errno == ENOMEM)
		wrong = "there is no memory";
	else if (json_is_object(root))
		wrong = judge(root, issuer, place, out, size);
	json_decref(root);
	return wrong;
}

const char *
discovery_read(struct span document, const char *issuer, char *jwks_uri, size_t size)
{
	static const struct place keys = { "jwks_uri",
		"the discovery document has no usable jwks_uri",
		"the discovery document has a jwks_uri that is not https" };

	return read_place(document, issuer, &keys, jwks_uri, size);
}

const char *
discovery_read_introspection(struct span document, const char *issuer, char *endpoint,
    size_t size)
{
	static const struct place introspection = { "introspection_endpoint",
		"the discovery document has no usable introspection_endpoint",
		"the discovery document has an introspection_endpoint that is not https" };

	return read_place(document, issuer, &introspection, endpoint, size);
}
