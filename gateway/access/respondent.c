#include "gateway/access/respondent.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/access/inquiry.h"
#include "gateway/access/limit.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/token/jwt.h"
#include "shm/hash.h"
#include "shm/keys.h"
#include "shm/rate.h"

#define TELL_EVERY_MS	1000
#define REST_FIRST_MS	1000
#define REST_MAX_MS	30000
#define ENCODED_MAX	3	/* bytes that a byte becomes in a form at most */
#define FORM_FIXED	64	/* names of parameters */
#define SLOT_KIND	UINT64_C(0x696e74726f73)	/* no issuer's slot is named so */
#define RATE_NAME	"introspection"
#define QUEUE_MAX	256	/* requests of one worker that wait for a place */

/* The cell of a limit that all workers share; no route's name begins so. */
static uint64_t
rate_key(const struct gate *g, const struct config_issuer *issuer)
{
	struct span name = SPAN(RATE_NAME);

	return hash_mix64(hash_bytes(name.p, name.n, g->shared->control->boot_key) ^
	    hash_mix64(issuer->id));
}

uint64_t
respondent_slot_id(const struct config_issuer *issuer)
{
	uint64_t id = hash_mix64(issuer->id ^ hash_mix64(SLOT_KIND));

	return id != 0 ? id : 1;
}

/* Where the issuer is asked; false: that has not been found yet. */
static bool
find_url(struct respondent *r)
{
	struct keys *keys = r->gate->shared->keys;
	struct keys_slot slot;
	uint64_t generation;

	if (r->issuer->introspection.endpoint[0] != '\0')
		return true;
	if (keys_slot(keys, respondent_slot_id(r->issuer), false, &slot) &&
	    (generation = keys_generation(&slot)) != 0 && generation != r->url_generation) {
		size_t n = keys_read(&slot, r->url, sizeof(r->url) - 1, &generation);
		r->url[n] = '\0';
		r->url_generation = generation;
	}
	return r->url[0] != '\0';
}

unsigned
respondent_places(const struct gate *g, const struct config_issuer *issuer)
{
	unsigned places = issuer->introspection.calls / g->config->workers;

	return places > 0 ? places : 1;
}

bool
respondent_open(struct respondent *r, struct gate *g, const struct config_issuer *issuer,
    struct fetch_pool *pool, struct alg_tools *tools)
{
	const char *why;

	*r = (struct respondent){ .gate = g, .issuer = issuer, .pool = pool };
	r->places = respondent_places(g, issuer);
	for (size_t i = 0; i < g->config->n_routes; i++)
		if ((int64_t)g->config->routes[i].stale_if_error_s > r->stale_max_s)
			r->stale_max_s = (int64_t)g->config->routes[i].stale_if_error_s;
	r->rate_key = rate_key(g, issuer);
	r->label = metric_name(span_of(issuer->name));
	r->proof = proof_open(issuer, tools, &why);
	if (r->proof == NULL) {
		log_error("issuer \"%s\": introspection: %s", issuer->name, why);
		return false;
	}
	snprintf(r->url, sizeof(r->url), "%s", issuer->introspection.endpoint);
	/* what is wrong with the trust anchors is told when they are needed */
	if (find_url(r))
		fetch_pool_prepare(pool, r->url, issuer->ca_file, &why);
	return true;
}

void
respondent_close(struct respondent *r)
{
	while (r->queue != NULL)
		inquiry_leave(r->queue);
	proof_close(&r->proof);
}

static bool
is_within_rate(struct respondent *r)
{
	const struct config_introspection *in = &r->issuer->introspection;
	const struct limit limit = { RATE_NAME, in->rate_count, in->rate_period_us, 0 };

	if (limit.count == 0)
		return true;
	const struct rate_limit rule = limit_rule(&limit);
	return rate_take(r->gate->shared->rates, r->rate_key, &rule, clock_us(), NULL);
}

/* Strangers leave room for tokens that are known, and whoever does not wait for those who do. */
static bool
has_place(const struct respondent *r, enum respondent_cause cause)
{
	switch (cause) {
	case RESPONDENT_STRANGER:
		return r->taken < r->places && r->strangers < r->places - r->places / 4;
	case RESPONDENT_KNOWN:
		return r->taken < r->places;
	case RESPONDENT_UNSEEN:
		break;
	}
	return r->taken < r->places - r->places / 8;
}

enum respondent_entry
respondent_enter(struct respondent *r, enum respondent_cause cause)
{
	if (!has_place(r, cause))
		return RESPONDENT_NO_PLACE;
	if (cause == RESPONDENT_STRANGER && !is_within_rate(r))
		return RESPONDENT_TOO_MANY;
	r->taken++;
	r->strangers += cause == RESPONDENT_STRANGER;
	return RESPONDENT_ENTERED;
}

/* New ones stand in front; the queue is short. */
static void
wake_eldest(struct respondent *r)
{
	struct inquirer *who = r->queue;

	if (who == NULL)
		return;
	while (who->next != NULL)
		who = who->next;
	inquiry_leave(who);
	task_wake(r->gate->loop, who->request->task);
}

void
respondent_leave(struct respondent *r, bool stranger)
{
	r->taken--;
	r->strangers -= stranger;
	wake_eldest(r);
}

bool
respondent_queue(struct respondent *r, struct inquirer *who, struct request *request)
{
	size_t n = 0;

	for (const struct inquirer *other = r->queue; other != NULL; other = other->next)
		n++;
	if (n >= QUEUE_MAX)
		return false;
	inquiry_stand(&r->queue, who, request);
	return true;
}

bool
respondent_rests(const struct respondent *r)
{
	return r->failures > 0 && loop_now_ms(r->gate->loop) < r->rest_ms;
}

static bool
write_form(struct respondent *r, struct text *form, struct span token)
{
	text_put(form, SPAN("token="));
	text_form(form, token);
	text_put(form, SPAN("&token_type_hint=access_token"));
	return proof_put(r->proof, form, loop_wall_s(r->gate->loop)) && !form->cut;
}

bool
respondent_ask(struct respondent *r, struct span token, bool stranger,
    struct fetch_task *fetch, struct task *owner)
{
	const struct config_introspection *in = &r->issuer->introspection;
	size_t room = FORM_FIXED + ENCODED_MAX * token.n + proof_room(r->proof);
	struct text form = { malloc(room), 0, room, false };
	bool begun = false;

	if (!find_url(r)) {
		free(form.p);
		respondent_failed(r, stranger, "its discovery document has not been had, or "
		    "names no introspection_endpoint: see introspection.endpoint");
		return false;
	}
	if (form.p != NULL && write_form(r, &form, token)) {
		const struct fetch_request request = {
			.url = r->url,
			.accept = "application/json",
			.ca_file = r->issuer->ca_file,
			.authorization = proof_authorization(r->proof),
			.form = text_span(&form),
			.pool = r->pool,
			.max_bytes = JWT_ANSWER_MAX,
			.timeout_ms = in->timeout_ms,
		};
		begun = fetch_task_begin(fetch, r->gate->loop, &request, owner);
	}
	if (form.p != NULL)
		OPENSSL_cleanse(form.p, form.n);
	free(form.p);
	if (!begun)
		respondent_failed(r, stranger, "there is no memory, or OpenSSL can't sign");
	return begun;
}

const char *
respondent_fault(const struct fetch_result *result, char *room, size_t size)
{
	if (result->reason != NULL)
		return result->reason;
	if (result->status == 200)
		return NULL;
	if (result->status == 400)
		snprintf(room, size, "it does not take the question (status 400): it may know "
		    "no tokens of this kind; else see introspection.auth and client_id");
	else if (result->status == 401 || result->status == 403)
		snprintf(room, size, "it refuses us with status %u: see introspection.auth, "
		    "client_id, and the secret or key", result->status);
	else if (result->status >= 300 && result->status < 400)
		snprintf(room, size, "it redirects (status %u), which is not followed: see "
		    "introspection.endpoint", result->status);
	else
		snprintf(room, size, "status %u: see introspection.endpoint, and its own log",
		    result->status);
	return room;
}

void
respondent_answered(struct respondent *r)
{
	if (r->told)
		log_notice("issuer \"%s\": answers questions about tokens again", r->issuer->name);
	r->failures = 0;
	r->told = false;
}

static uint64_t
rest_after(unsigned failures)
{
	return failures > 5 ? REST_MAX_MS : (uint64_t)REST_FIRST_MS << (failures - 1);
}

void
respondent_failed(struct respondent *r, bool stranger, const char *reason)
{
	uint64_t now_ms = loop_now_ms(r->gate->loop);

	respondent_count(r, RESPONDENT_ERROR);
	if (!stranger && (r->failures == 0 || now_ms >= r->rest_ms)) {
		r->failures += r->failures < REST_MAX_MS;
		r->rest_ms = now_ms + rest_after(r->failures);
	}
	if (r->told_ms != 0 && now_ms < r->told_ms + TELL_EVERY_MS)
		return;
	r->told_ms = now_ms;
	r->told = true;
	log_error("issuer \"%s\": can't be asked about tokens: %s; what needs its answer gets 503",
	    r->issuer->name, reason);
}

void
respondent_count(const struct respondent *r, enum respondent_result result)
{
	static const char *const names[] = { "active", "inactive", "refused",
		"error", "busy" };

	metric_count(METRIC_INTROSPECTIONS, r->label, metric_name(span_of(names[result])));
}

void
respondent_time(const struct respondent *r, uint64_t us)
{
	metric_time_us(METRIC_INTROSPECTION_DURATION, us, r->label);
}
