#include "gateway/base/text.h"
#include "gateway/conf/address.h"
#include "gateway/oauth/grant.h"
#include "gateway/oauth/publish.h"
#include "gateway/request/refuse.h"
#include "gateway/token/alg.h"

#define ROOM		4096
#define MAX_AGE_S	300

/* The endpoints that are told, by the name of the member and what follows token_service.path. */
static const char *const endpoints[][2] = {
	{ "token_endpoint", "/token" },
	{ "jwks_uri", "/jwks" },
	{ "introspection_endpoint", "/introspect" },
	{ "revocation_endpoint", "/revoke" },
};

/* Where clients authenticate themselves. */
static const char *const authenticated[] = { "token", "introspection", "revocation" };

static const char methods[] =
    "[\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\"]";

/* Scheme and authority of the issuer: the path of the endpoints is of its own. */
static struct span
origin_of(const char *issuer)
{
	struct address_url url = { .path = SPAN("") };
	struct span whole = span_of(issuer);

	address_url(whole, &url);
	return span_make(whole.p, whole.n - url.path.n);
}

static void
put_url(struct text *t, const char *member, const struct config_token_service *service,
    const char *name)
{
	char url[1024];
	struct text u = TEXT_OVER(url);

	text_put(&u, origin_of(service->issuer));
	text_str(&u, service->path);
	text_str(&u, name);
	text_fmt(t, ",\"%s\":", member);
	text_json(t, text_span(&u));
}

/* The algorithms of client assertions: all that need no secret on our side. */
static void
put_algorithms(struct text *t)
{
	const char *before = "[";

	for (unsigned i = 0; i < ALG_COUNT; i++) {
		const struct alg *alg = alg_row((enum alg_id)i);

		if (alg->family == ALG_HMAC)
			continue;
		text_fmt(t, "%s\"%.*s\"", before, SPAN_ARG(alg->name));
		before = ",";
	}
	text_char(t, ']');
}

/*
 * response_types_supported is demanded and may not be empty, though there is no authorization
 * endpoint: "none" is the one that asks for nothing.
 */
static void
put_metadata(struct text *t, const struct config_token_service *service)
{
	text_put(t, SPAN("{\"issuer\":"));
	text_json(t, span_of(service->issuer));
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
		put_url(t, endpoints[i][0], service, endpoints[i][1]);
	for (unsigned i = 0; i < GRANT_COUNT; i++)
		text_fmt(t, "%s\"%.*s\"", i == 0 ? ",\"grant_types_supported\":[" : ",",
		    SPAN_ARG(grant_row((enum grant_id)i)->name));
	text_put(t, SPAN("],\"response_types_supported\":[\"none\"]"));
	for (size_t i = 0; i < sizeof(authenticated) / sizeof(authenticated[0]); i++) {
		text_fmt(t, ",\"%s_endpoint_auth_methods_supported\":%s", authenticated[i],
		    methods);
		text_fmt(t, ",\"%s_endpoint_auth_signing_alg_values_supported\":",
		    authenticated[i]);
		put_algorithms(t);
	}
	text_put(t, SPAN("}\n"));
}

enum step_result
answer_metadata(struct request *r)
{
	char *memory = arena_alloc(&r->arena, 2 * (size_t)ROOM);

	if (memory == NULL)
		return refuse(r, REFUSE_NO_MEMORY);
	struct text fields = { memory, 0, ROOM, false };
	struct text body = { memory + ROOM, 0, ROOM, false };
	text_fmt(&fields, "Content-Type: application/json\r\nCache-Control: public, max-age=%d\r\n"
	    "Access-Control-Allow-Origin: *\r\n", MAX_AGE_S);
	put_metadata(&body, r->gate->config->token_service);
	if (body.cut)
		return refuse(r, REFUSE_NO_MEMORY);
	request_answer(r, 200, text_span(&fields), text_span(&body));
	return STEP_END;
}
