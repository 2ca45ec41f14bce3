#include "gateway/oauth/limit.h"

#include "gateway/access/limit.h"
#include "gateway/base/clock.h"
#include "gateway/base/metric.h"
#include "gateway/oauth/answer.h"
#include "gateway/oauth/oauth.h"
#include "shm/hash.h"

/* What tells the keys of the limits apart, so that they share no cell. */
#define FAILURES	UINT64_C(0x6661696c75726573)
#define STRANGERS	UINT64_C(0x737472616e676572)
#define TOKENS		UINT64_C(0x746f6b656e733a31)
#define TOKENS_OF_ONE	UINT64_C(0x746f6b656e733a32)
#define REPEATED	UINT64_C(0x7265706561746564)

static uint64_t
key_of(const struct request *r, uint64_t limit, struct span a, struct span b)
{
	const uint8_t *key = r->gate->shared->control->boot_key;

	return hash_mix64(hash_bytes(a.p, a.n, key) ^
	    hash_mix64(hash_bytes(b.p, b.n, key) ^ limit));
}

#define STRANGERS_MORE	10	/* so many times the failures of one client */

/* The burst is 0 where failures are not limited. */
static struct rate_limit
failures_rule(const struct request *r, uint64_t times)
{
	const struct config_token_service *config = r->gate->config->token_service;
	const struct limit limit = { "auth_failures", config->failures_count * times,
		config->failures_period_us, 0 };

	return limit.count == 0 ? (struct rate_limit){ 0 } : limit_rule(&limit);
}

static void
count_limited(const char *name, uint16_t *label)
{
	if (*label == 0)
		*label = metric_name(span_of(name));
	metric_count(METRIC_RATE_LIMITED, *label);
}

static bool
is_free(const struct request *r, uint64_t key, const struct rate_limit *rule, uint64_t *wait_s)
{
	struct rate_verdict verdict;

	if (rule->burst == 0 ||
	    rate_peek(r->gate->shared->rates, key, rule, clock_us(), &verdict))
		return true;
	*wait_s = verdict.retry_after_s;
	return false;
}

bool
limit_may_try(const struct request *r, struct span client_id, bool known, uint64_t *wait_s)
{
	static uint16_t label;
	struct rate_limit rule = failures_rule(r, 1);
	struct rate_limit strangers = failures_rule(r, STRANGERS_MORE);

	if (is_free(r, key_of(r, FAILURES, client_id, r->client), &rule, wait_s) &&
	    (known || is_free(r, key_of(r, STRANGERS, SPAN(""), r->client), &strangers, wait_s)))
		return true;
	count_limited("client_auth", &label);
	return false;
}

void
limit_note_failure(const struct request *r, struct span client_id, bool known)
{
	struct rate_limit rule = failures_rule(r, 1);
	struct rate_limit strangers = failures_rule(r, STRANGERS_MORE);
	struct rate *rates = r->gate->shared->rates;

	if (rule.burst == 0)
		return;
	rate_take(rates, key_of(r, FAILURES, client_id, r->client), &rule, clock_us(), NULL);
	if (!known)
		rate_take(rates, key_of(r, STRANGERS, SPAN(""), r->client), &strangers,
		    clock_us(), NULL);
}

bool
limit_take_token(struct request *r, bool repeated, uint64_t *wait_s)
{
	static uint16_t label;
	const struct config_token_service *config = r->gate->config->token_service;
	const struct oauth_client *client = r->oauth->client;
	bool own = client->rate_count > 0;
	const struct limit limit = { "token",
		own ? client->rate_count : config->rate_count,
		own ? client->rate_period_us : config->rate_period_us, 0 };
	struct rate_verdict verdict;

	if (limit.count == 0)
		return true;
	struct rate_limit rule = limit_rule(&limit);
	uint64_t cell = (own ? TOKENS_OF_ONE : TOKENS) ^ (repeated ? REPEATED : 0);
	uint64_t key = key_of(r, cell, own ? client->id : client->consumer, SPAN(""));
	bool passes = rate_take(r->gate->shared->rates, key, &rule, clock_us(), &verdict);
	limit_tell(r, &limit, &verdict);
	*wait_s = verdict.retry_after_s;
	if (!passes)
		count_limited("token", &label);
	return passes;
}
