#include <string.h>
#include <sys/stat.h>

#include "gateway/conf/address.h"
#include "gateway/conf/build.h"
#include "gateway/conf/fingerprint.h"

/*
 * An issuer is where configurations are most often weak without looking so. What leaves nothing to
 * trust is an error (no audience, an algorithm there is not); what may be meant so is a warning.
 */

/* Above this, a clock is not wrong but set wrong. */
#define LEEWAY_WARN_S	60

/* Of the token service's own tokens, which other nodes may have made. */
#define OWN_LEEWAY_S	5
#define OWN_TOKEN_MAX	8192
/*
 * The keeper hears of new keys by itself; between two looks that tokens of unknown keys ask for,
 * such tokens are refused at once rather than kept waiting.
 */
#define OWN_COOLDOWN_S	2

static bool
fetches(const struct config_issuer *i)
{
	return i->needs_keys && i->jwks_file[0] == '\0';
}

static void
build_audience(struct build *b, const struct section *s, struct config_issuer *i)
{
	for (size_t n = 0; n < i->n_audience; n++) {
		if (i->audience[n].n == 0)
			build_error(b, s, "audience",
			    "a member is empty (accepted: {\"orders-api\"}, or "
			    "{\"*\"} for any)");
		if (span_eq(i->audience[n], SPAN("*")))
			i->any_audience = true;
	}
	if (i->any_audience && i->n_audience > 1)
		build_error(b, s, "audience",
		    "\"*\" does not stand alone (accepted: {\"orders-api\"}, or "
		    "{\"*\"} for any)");
	else if (i->any_audience)
		build_warn(
		    b, s, "audience", "\"*\" accepts tokens that were made for somebody else");
}

/* RFC 9068 and what came before it; other types are those of other tokens (RFC 8725, 3.11). */
static bool
is_access_token_type(const char *type)
{
	return type[0] == '\0' || strcmp(type, "at+jwt") == 0 || strcmp(type, "jwt") == 0;
}

/* RFC 7515 section 4.1.9: "application/" may be left out, and letters compare in any case. */
static void
build_token_types(struct build *b, const struct section *s, struct config_issuer *i)
{
	for (size_t n = 0; n < i->n_token_types; n++) {
		struct span type = i->token_types[n];

		if (span_starts_nocase(type, SPAN("application/")))
			type = span_skip(type, 12);
		char *lower = build_array(b, type.n + 1, 1);
		for (size_t at = 0; lower != NULL && at < type.n; at++)
			lower[at] = span_lower(type.p[at]);
		i->token_types[n] = span_of(lower);
		if (lower != NULL && !is_access_token_type(lower))
			build_warn(b, s, "token_types",
			    "\"%s\" may be the type of tokens that are not meant for access "
			    "(usual: \"at+jwt\", \"JWT\", \"\")", lower);
	}
}

static void
check_algorithms(struct build *b, const struct section *s, const struct config_issuer *i)
{
	for (size_t n = 0; n < i->n_algorithms; n++)
		if (i->algorithms[n][0] == 'H' && fetches(i)) {
			build_warn(b, s, "algorithms",
			    "%s with keys that are fetched: whoever may fetch them "
			    "can make tokens; use jwks_file",
			    i->algorithms[n]);
			return;
		}
}

/* Where keys come from over the network: by TLS, or from this machine, or with a warning. */
static void
check_url(struct build *b, const struct section *s, const char *name, const char *text)
{
	struct address_url url;
	const char *why = address_url(span_of(text), &url);

	if (why != NULL && strcmp(name, "issuer") == 0)
		build_error(b, s, name,
		    "\"%s\": %s, so its keys can't be found by discovery (accepted: a URL; "
		    "or give jwks_uri or jwks_file)",
		    text, why);
	else if (why != NULL)
		build_error(b, s, name, "\"%s\": %s (accepted: https://host/path)", text, why);
	else if (!url.tls && !address_is_loopback(url.host))
		build_warn(b, s, name,
		    "keys are fetched without TLS from another machine: whoever is in "
		    "between can make tokens");
}

/* True if everybody on this machine may write the file. */
static bool
is_everybodys(const char *path)
{
	struct stat st;

	return path[0] != '\0' && stat(path, &st) == 0 && (st.st_mode & S_IWOTH) != 0;
}

static void
check_keys(struct build *b, const struct section *s, const struct config_issuer *i)
{
	if (i->jwks_uri[0] != '\0' && i->jwks_file[0] != '\0')
		build_error(
		    b, s, "jwks_file", "there is a jwks_uri too (accepted: one of them, or none)");
	else if (i->jwks_uri[0] != '\0')
		check_url(b, s, "jwks_uri", i->jwks_uri);
	else if (fetches(i) && i->issuer[0] != '\0')
		check_url(b, s, "issuer", i->issuer);
	build_check_file(b, s, "jwks_file", i->jwks_file);
	build_check_file(b, s, "ca_file", i->ca_file);
	if (is_everybodys(i->jwks_file))
		build_warn(b, s, "jwks_file",
		    "everybody on this machine can write %s, and so make tokens", i->jwks_file);
	if (is_everybodys(i->ca_file))
		build_warn(b, s, "ca_file",
		    "everybody on this machine can write %s, and so trust others", i->ca_file);
	if (i->ca_file[0] != '\0' && !fetches(i) && i->validate == VALIDATE_LOCAL)
		build_warn(b, s, "ca_file", "it is not used: keys come from jwks_file");
}

static void
check_consumers(struct build *b, const struct section *s, const struct config_issuer *i)
{
	bool refuses = i->unknown_consumers == UNKNOWN_CONSUMERS_REFUSE;

	for (size_t n = 0; n < i->n_consumers; n++)
		if (i->consumers[n].n == 0)
			build_error(b, s, "consumers",
			    "a member is empty (accepted: values of the claim that names the "
			    "consumer, as in {\"orders-app\"})");
	if (refuses && i->n_consumers == 0 && b->config->database == NULL)
		build_error(b, s, "unknown_consumers",
		    "no consumer is known, so nothing could pass (accepted: \"refuse\" with "
		    "consumers or a database section; or \"allow\")");
	if (!refuses && i->n_consumers > 0)
		build_warn(b, s, "consumers",
		    "they say nothing unless unknown_consumers is \"refuse\": others pass too");
}

/* Another source of keys is another issuer to the caches: no key of the old one stays. */
static uint64_t
make_id(const struct config_issuer *i)
{
	struct fingerprint f = { 0 };

	fingerprint_add(&f, span_of(i->name));
	fingerprint_add(&f, span_of(i->issuer));
	fingerprint_add(&f, span_of(i->jwks_uri));
	fingerprint_add(&f, span_of(i->jwks_file));
	return f.value == 0 ? 1 : f.value;
}

static void
build_issuer(struct build *b, const struct section *s, struct config_issuer *i)
{
	i->name = build_string(b, span_of(s->title));
	i->line = s->line;
	build_check_title(b, s);
	if (strcmp(i->name, CONFIG_ISSUER_OWN) == 0)
		build_error(b, s, "", "\"self\" is kept for tokens of the token service");
	build_fill(b, s, i);
	build_audience(b, s, i);
	build_token_types(b, s, i);
	build_claim_headers(b, s, &i->claim_headers, &i->n_claim_headers);
	build_introspection(b, s, i);
	i->needs_keys = i->validate != VALIDATE_INTROSPECT || i->backchannel_logout[0] != '\0';
	check_algorithms(b, s, i);
	check_keys(b, s, i);
	check_consumers(b, s, i);
	if (i->leeway_s > LEEWAY_WARN_S)
		build_warn(b, s, "leeway", "%llu s is more than clocks differ (usual: up to %d)",
		    (unsigned long long)i->leeway_s, LEEWAY_WARN_S);
	i->id = make_id(i);
}

/* The value of iss chooses the issuer, so no two may have the same. */
static void
check_twins(struct build *b, const struct section *s, size_t n)
{
	const struct config_issuer *issuers = b->config->issuers;

	for (size_t i = 0; i < n; i++)
		if (strcmp(issuers[i].issuer, issuers[n].issuer) == 0 &&
		    issuers[n].issuer[0] != '\0')
			build_error(b, s, "issuer",
			    "issuer \"%s\" (line %d) has the same value (accepted: each once)",
			    issuers[i].name, issuers[i].line);
}

/* The token service's own: whatever of it decides about tokens is fixed. */
static void
build_own_issuer(struct build *b, struct config_issuer *i)
{
	static const char *algorithms[] = { "ES256", "RS256", "EdDSA" };
	static struct span types[] = { { "at+jwt", 6 } };
	const struct config_token_service *t = b->config->token_service;

	*i = (struct config_issuer){
		.name = CONFIG_ISSUER_OWN, .issuer = t->issuer, .line = t->line, .own = true,
		/* introspection has to know tokens for others too */
		.any_audience = true,
		.route_audience = t->audience, .n_route_audience = t->n_audience,
		.algorithms = algorithms,
		.n_algorithms = sizeof(algorithms) / sizeof(algorithms[0]),
		.token_types = types, .n_token_types = sizeof(types) / sizeof(types[0]),
		.jwks_uri = "", .jwks_file = "", .ca_file = "",
		/* as gateway/token/mint.h writes it */
		.validate = VALIDATE_LOCAL, .backchannel_logout = "", .needs_keys = true,
		.consumer_claim = "consumer", .scope_claim = "",
		.leeway_s = OWN_LEEWAY_S, .max_token = OWN_TOKEN_MAX,
		.jwks_cooldown_s = OWN_COOLDOWN_S,
	};
	i->id = make_id(i);
}

void
build_issuers(struct build *b, const struct section *root)
{
	size_t n = section_count(root, "issuer"), own;

	build_token_service(b, root);
	own = b->config->token_service != NULL;
	b->config->issuers = build_array(b, n + own, sizeof(*b->config->issuers));
	b->config->n_issuers = b->config->issuers == NULL ? 0 : n + own;
	for (size_t i = 0; i < b->config->n_issuers; i++) {
		bool is_own = i == n;
		struct section s = section_inner(
		    root, is_own ? "token_service" : "issuer", is_own ? 0 : i);

		if (is_own)
			build_own_issuer(b, &b->config->issuers[i]);
		else
			build_issuer(b, &s, &b->config->issuers[i]);
		check_twins(b, &s, i);
	}
	if (n + own > CONFIG_ISSUERS_MAX)
		build_error(b, root, "issuer", "there are %zu such sections (accepted: up to %d)",
		    n, CONFIG_ISSUERS_MAX);
}

/* Claims that become headers are kept with the facts of a token. */
static void
add_claims(struct fingerprint *f, const struct config_claim_header *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fingerprint_add(f, span_of(list[i].claim));
}

/* Whose answers are kept, and for how long; of who is never asked, all of it is empty. */
static void
add_introspection(struct fingerprint *f, const struct config_introspection *in)
{
	if (in->endpoint == NULL)
		return;
	fingerprint_add(f, span_of(in->endpoint));
	fingerprint_add(f, span_of(in->client_id));
	fingerprint_add_number(f, in->ttl_s);
}

void
build_rules(struct config *config)
{
	for (size_t n = 0; n < config->n_issuers; n++) {
		struct config_issuer *i = &config->issuers[n];
		struct fingerprint f = { 0 };

		fingerprint_add(&f, span_of(i->issuer));
		fingerprint_add_list(&f, i->audience, i->n_audience);
		fingerprint_add_number(&f, i->n_algorithms);
		for (size_t a = 0; a < i->n_algorithms; a++)
			fingerprint_add(&f, span_of(i->algorithms[a]));
		fingerprint_add_list(&f, i->token_types, i->n_token_types);
		fingerprint_add(&f, span_of(i->consumer_claim));
		fingerprint_add(&f, span_of(i->scope_claim));
		fingerprint_add_number(&f, i->validate);
		add_introspection(&f, &i->introspection);
		fingerprint_add_number(&f, i->leeway_s);
		fingerprint_add_number(&f, i->max_token);
		fingerprint_add_number(&f, i->id);
		add_claims(&f, i->claim_headers, i->n_claim_headers);
		for (size_t r = 0; r < config->n_routes; r++)
			add_claims(&f, config->routes[r].claim_headers,
			    config->routes[r].n_claim_headers);
		i->rules = f.value == 0 ? 1 : f.value;
	}
}
