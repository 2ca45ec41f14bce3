#include "gateway/token/jwt_checker.h"

#include <stdlib.h>

#include "gateway/base/encode.h"

size_t
jwt_token_max(const struct jwt_checker *checker)
{
	return checker->token_max;
}

static void
add_claims(struct jwt_checker *checker, const struct config_claim_header *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < checker->n_claims && strcmp(checker->claims[k], list[i].claim) != 0)
			k++;
		if (k == checker->n_claims)
			checker->claims[checker->n_claims++] = list[i].claim;
	}
}

/* Collects the claims that become headers, each once. */
static bool
collect_claims(struct jwt_checker *checker)
{
	const struct config *conf = checker->conf;
	size_t n = 0;

	for (size_t i = 0; i < conf->n_routes; i++)
		n += conf->routes[i].n_claim_headers;
	for (size_t i = 0; i < conf->n_issuers; i++)
		n += conf->issuers[i].n_claim_headers;
	if ((checker->claims = calloc(n + 1, sizeof(*checker->claims))) == NULL)
		return false;
	for (size_t i = 0; i < conf->n_routes; i++)
		add_claims(checker, conf->routes[i].claim_headers, conf->routes[i].n_claim_headers);
	for (size_t i = 0; i < conf->n_issuers; i++)
		add_claims(checker, conf->issuers[i].claim_headers,
		    conf->issuers[i].n_claim_headers);
	return true;
}

static bool
collect_algorithms(struct jwt_checker *checker)
{
	const struct config *conf = checker->conf;

	checker->algorithms = calloc(conf->n_issuers + 1, sizeof(*checker->algorithms));
	if (checker->algorithms == NULL)
		return false;
	for (size_t i = 0; i < conf->n_issuers; i++) {
		const struct config_issuer *issuer = &conf->issuers[i];
		if (issuer->max_token > checker->token_max)
			checker->token_max = issuer->max_token;
		for (size_t j = 0; j < issuer->n_algorithms; j++) {
			const struct alg *alg = alg_find(span_of(issuer->algorithms[j]));
			if (alg != NULL)
				checker->algorithms[i] |= ALG_BIT(alg->id);
		}
	}
	return true;
}

/* Bytes of the longest JSON that is read: of a token, or of an issuer's answer about one. */
static size_t
longest_text(const struct jwt_checker *checker)
{
	size_t n = BASE64URL_DECODED(checker->token_max);

	for (size_t i = 0; i < checker->conf->n_issuers; i++)
		if (checker->conf->issuers[i].validate != VALIDATE_LOCAL && n < JWT_ANSWER_MAX)
			n = JWT_ANSWER_MAX;
	return n;
}

struct jwt_checker *
jwt_checker_new(const struct config *conf, struct keyring *ring, struct alg_tools *tools)
{
	struct jwt_checker *checker = calloc(1, sizeof(*checker));
	if (checker == NULL)
		return NULL;

	*checker = (struct jwt_checker){ .conf = conf, .ring = ring, .tools = tools };
	bool good = collect_claims(checker) && collect_algorithms(checker);
	checker->decoded = malloc(BASE64URL_DECODED(checker->token_max) + JWT_PARTS * 3);
	checker->values_max = DOC_VALUES(longest_text(checker));
	checker->values = calloc(2 * checker->values_max, sizeof(*checker->values));
	checker->room = malloc(FACTS_MAX);
	if (!good || checker->decoded == NULL || checker->values == NULL || checker->room == NULL)
		jwt_checker_free(&checker);
	return checker;
}

void
jwt_checker_free(struct jwt_checker **checker)
{
	struct jwt_checker *c = *checker;
	*checker = NULL;
	if (c == NULL)
		return;
	free(c->algorithms);
	free(c->claims);
	free(c->decoded);
	free(c->values);
	free(c->room);
	free(c);
}
