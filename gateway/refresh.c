#include "gateway/refresh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/discovery.h"
#include "gateway/http/fetch.h"
#include "gateway/http/url.h"
#include "gateway/issuer_keys.h"
#include "gateway/key_file.h"

#define FETCH_TIMEOUT_MS	10000
#define FILE_LOOK_MS		250
#define PAUSE_FIRST_MS		1000
#define PAUSE_MAX_MS		30000
#define URI_SIZE		(URL_TARGET_MAX + URL_HOST_MAX + 16)

enum refresh_state {
	REFRESH_REST,
	REFRESH_DISCOVER,	/* fetches the discovery document */
	REFRESH_FETCH,		/* fetches the key set */
};

struct refresh {
	struct task			 task;
	struct watch			 watch;
	struct loop			*loop;
	const struct config_issuer	*issuer;
	const struct shared		*shared;
	struct issuer_keys		 keys;
	enum refresh_state		 state;
	struct fetch			*fetch;
	char				 uri[URI_SIZE];	/* of the key set; "": to be discovered */
	struct key_file			 file;
	char				*buf;		/* for the file */
	uint64_t			 next_ms;	/* the next attempt by itself */
	uint64_t			 confirm_ms;	/* an unchanged file is confirmed then */
	unsigned			 failures;	/* in a row */
	bool				 tried;
	char				 complaint[320];	/* what the log was told last */
	uint16_t			 label;
};

static uint64_t
random_ms(uint64_t below)
{
	return below == 0 ? 0 : arc4random_uniform((uint32_t)below);
}

/* Spread over a tenth, so that many gateways don't ask at once. */
static uint64_t
refresh_pause_ms(const struct refresh *r)
{
	uint64_t period = r->issuer->jwks_refresh_s * 1000;

	return period - random_ms(period / 10);
}

static uint64_t
failure_pause_ms(const struct refresh *r)
{
	uint64_t pause = PAUSE_MAX_MS;

	if (r->failures <= 5)
		pause = PAUSE_FIRST_MS << (r->failures - 1);
	return pause - random_ms(pause / 4);
}

/* Seconds until what workers ask for may be done. A clock that was set back ends the cooldown. */
static uint64_t
cooldown_left_s(const struct refresh *r, const struct keys_info *info, uint64_t now_s)
{
	uint64_t end_s = info->tried_at_s + r->issuer->jwks_cooldown_s;

	return info->tried_at_s <= now_s && now_s < end_s ? end_s - now_s : 0;
}

static uint64_t
now_wall_s(void)
{
	int64_t now = clock_wall_s();

	return now < 0 ? 0 : (uint64_t)now;
}

/* When the next attempt is due, with what workers wish for. */
static uint64_t
due_ms(const struct refresh *r, uint64_t now_ms)
{
	struct keys_info info;
	uint64_t asked_ms;

	if (!keys_info(&r->keys.slot, &info) || !info.wanted)
		return r->next_ms;
	asked_ms = now_ms + cooldown_left_s(r, &info, now_wall_s()) * 1000;
	return asked_ms < r->next_ms ? asked_ms : r->next_ms;
}

static void
count(const struct refresh *r, const char *result)
{
	metric_count(METRIC_JWKS_FETCHES, r->label, metric_name(span_of(result)));
}

/* Every attempt ends here, after keys_publish() or keys_fail() said so to the workers. */
static void
end_attempt(struct refresh *r, uint64_t pause_ms)
{
	r->state = REFRESH_REST;
	r->tried = true;
	r->next_ms = loop_now_ms(r->loop) + pause_ms;
	shared_ring_all(r->shared, SHARED_WORKER);
}

/* Tells the log of a failure, but not of the same one again. */
static void
complain(struct refresh *r, const char *reason)
{
	const char *name = r->issuer->name;

	if (strcmp(r->complaint, reason) == 0)
		return;
	snprintf(r->complaint, sizeof(r->complaint), "%s", reason);
	if (r->keys.set == NULL)
		log_error("issuer \"%s\": no keys yet: %s; trying on", name, reason);
	else
		log_warn("issuer \"%s\": keys not refreshed: %s; the last good ones stay",
		    name, reason);
}

/*
 * Keys that could not be confirmed for too long are believed no more. A file is as good as its
 * owner.
 */
static void
withdraw_stale(struct refresh *r)
{
	uint64_t limit_s = r->issuer->jwks_max_stale_s, now_s = now_wall_s();
	struct keys_info info;

	if (limit_s == 0 || r->issuer->jwks_file[0] != '\0' ||
	    !keys_info(&r->keys.slot, &info) || info.generation == 0 ||
	    now_s < info.fetched_at_s || now_s - info.fetched_at_s < limit_s)
		return;
	keys_withdraw(&r->keys.slot);
	log_error("issuer \"%s\": its keys are older than jwks_max_stale and are used no more",
	    r->issuer->name);
}

static void
attempt_failed(struct refresh *r, const char *reason)
{
	complain(r, reason);
	withdraw_stale(r);
	count(r, "failed");
	r->failures++;
	if (r->issuer->jwks_uri[0] == '\0')
		r->uri[0] = '\0';
	keys_fail(&r->keys.slot, now_wall_s());
	end_attempt(r, failure_pause_ms(r));
}

static void
attempt_done(struct refresh *r, struct span bytes, const char *from)
{
	const char *wrong = "";
	char reason[sizeof(r->complaint)];

	switch (issuer_keys_take(&r->keys, bytes, now_wall_s(), &wrong)) {
	case ISSUER_KEYS_CHANGED:
		count(r, "changed");
		break;
	case ISSUER_KEYS_SAME:
		count(r, "unchanged");
		break;
	case ISSUER_KEYS_REFUSED:
		snprintf(reason, sizeof(reason), "the key set of %.200s is refused: %.80s", from,
		    wrong);
		attempt_failed(r, reason);
		return;
	}
	if (r->complaint[0] != '\0')
		log_notice("issuer \"%s\": keys are fresh again", r->issuer->name);
	r->complaint[0] = '\0';
	r->failures = 0;
	end_attempt(r, refresh_pause_ms(r));
}

static void
begin_fetch(struct refresh *r, enum refresh_state state, const char *url)
{
	struct fetch_request request = {
		.url = url,
		.accept = state == REFRESH_FETCH ? "application/jwk-set+json, application/json" :
		    "application/json",
		.ca_file = r->issuer->ca_file,
		.max_bytes = KEYS_BYTES_MAX,
		.timeout_ms = FETCH_TIMEOUT_MS,
		.redirects = FETCH_REDIRECTS_MAX,
	};

	r->state = state;
	r->fetch = fetch_begin(&request, loop_now_ms(r->loop));
	if (r->fetch == NULL)
		attempt_failed(r, "there is no memory");
}

static void
begin_attempt(struct refresh *r)
{
	char url[URI_SIZE];

	keys_try(&r->keys.slot, now_wall_s());
	if (r->uri[0] != '\0')
		begin_fetch(r, REFRESH_FETCH, r->uri);
	else if (discovery_url(r->issuer->issuer, url, sizeof(url)))
		begin_fetch(r, REFRESH_DISCOVER, url);
	else
		attempt_failed(r, "the issuer's name is too long for discovery");
}

/* Takes the document and goes on to the keys it points to. */
static void
discovered(struct refresh *r, struct span document)
{
	const char *wrong = discovery_read(document, r->issuer->issuer, r->uri, sizeof(r->uri));

	if (wrong != NULL)
		attempt_failed(r, wrong);
	else
		begin_fetch(r, REFRESH_FETCH, r->uri);
}

/* A fetch has ended; it is freed after its answer was used. */
static void
fetched(struct refresh *r, enum run run)
{
	const char *what = r->state == REFRESH_DISCOVER ? "the discovery document" : r->uri;
	const struct fetch_result *result = fetch_result(r->fetch);
	struct fetch *fetch = r->fetch;
	char reason[sizeof(r->complaint)];

	loop_unwatch(r->loop, &r->watch);
	r->fetch = NULL;
	if (run == RUN_FAIL || result->status != 200) {
		if (result->reason == NULL)
			snprintf(reason, sizeof(reason), "%.200s: status %u", what, result->status);
		else
			snprintf(reason, sizeof(reason), "%.150s: %.150s", what, result->reason);
		attempt_failed(r, reason);
	} else if (r->state == REFRESH_DISCOVER)
		discovered(r, result->body);
	else
		attempt_done(r, result->body, r->uri);
	fetch_end(&fetch);
}

static void
run_url(struct refresh *r)
{
	uint64_t now_ms = loop_now_ms(r->loop);

	for (;;) {
		enum run run;

		if (r->state == REFRESH_REST && due_ms(r, now_ms) <= now_ms)
			begin_attempt(r);
		if (r->state == REFRESH_REST) {
			task_deadline(r->loop, &r->task, due_ms(r, now_ms));
			return;
		}
		run = fetch_run(r->fetch, now_ms);
		if (run != RUN_WAIT) {
			fetched(r, run);
			continue;
		}
		if (loop_want(r->loop, &r->watch, fetch_want(r->fetch), &r->task))
			return;
		loop_unwatch(r->loop, &r->watch);
		fetch_end(&r->fetch);
		attempt_failed(r, "the kernel watches no more descriptors");
	}
}

/* True if a worker waits for an attempt, and one may be made. */
static bool
is_asked(const struct refresh *r)
{
	struct keys_info info;

	return keys_info(&r->keys.slot, &info) && info.wanted &&
	    cooldown_left_s(r, &info, now_wall_s()) == 0;
}

/* What a look at the file has found becomes an attempt, when it is news or somebody asked. */
static void
judge_file(struct refresh *r, enum key_file_result result, bool asked, size_t n, const char *wrong)
{
	const char *path = r->issuer->jwks_file;
	bool confirm = asked || loop_now_ms(r->loop) >= r->confirm_ms;
	char reason[sizeof(r->complaint)];

	if (result == KEY_FILE_FAILED)
		snprintf(reason, sizeof(reason), "%.200s: %.100s", path, wrong);
	else
		snprintf(reason, sizeof(reason), "%s", r->complaint);
	if (result == KEY_FILE_READ && reason[0] == '\0' && issuer_keys_hold(&r->keys, r->buf, n))
		result = KEY_FILE_SAME;
	if (result != KEY_FILE_READ && strcmp(reason, r->complaint) == 0 && !confirm)
		return;
	keys_try(&r->keys.slot, now_wall_s());
	if (result == KEY_FILE_READ)
		attempt_done(r, span_make(r->buf, n), path);
	else if (reason[0] != '\0')
		attempt_failed(r, reason);
	else
		attempt_done(r, span_make(r->keys.bytes, r->keys.n), path);
	r->confirm_ms = loop_now_ms(r->loop) + refresh_pause_ms(r);
}

static void
look_at_file(struct refresh *r)
{
	enum key_file_result result;
	const char *wrong = "";
	bool asked = is_asked(r);
	size_t n = 0;

	result = key_file_look(&r->file, r->issuer->jwks_file, clock_wall_s(), r->buf,
	    KEYS_BYTES_MAX, &n, &wrong);
	if (result == KEY_FILE_FAILED)
		r->file = (struct key_file){ 0 };
	judge_file(r, result, asked, n, wrong);
	r->next_ms = loop_now_ms(r->loop) + FILE_LOOK_MS;
}

static void
run_file(struct refresh *r)
{
	uint64_t now_ms = loop_now_ms(r->loop);

	if (now_ms >= r->next_ms || is_asked(r))
		look_at_file(r);
	task_deadline(r->loop, &r->task, r->next_ms);
}

static void
run(struct loop *loop, struct task *task)
{
	struct refresh *r = (struct refresh *)task;

	(void)loop;
	if (r->buf != NULL)
		run_file(r);
	else
		run_url(r);
}

/* A keeper that follows another one keeps to the cooldown, so reloads don't become fetches. */
static uint64_t
first_attempt_ms(const struct refresh *r)
{
	uint64_t now_ms = loop_now_ms(r->loop);
	struct keys_info info;

	if (!keys_info(&r->keys.slot, &info) || info.status == KEYS_NEVER || info.attempts & 1)
		return now_ms;		/* an odd count: a keeper died over it */
	if (info.status == KEYS_FAILED)
		return now_ms + random_ms(PAUSE_FIRST_MS);
	return now_ms + cooldown_left_s(r, &info, now_wall_s()) * 1000;
}

struct refresh *
refresh_new(struct loop *loop, const struct config_issuer *issuer, const struct shared *shared,
    struct alg_tools *tools)
{
	bool file = issuer->jwks_file[0] != '\0';
	struct refresh *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->issuer = issuer;
	r->shared = shared;
	r->watch.fd = -1;
	task_init(&r->task, run);
	if ((file && (r->buf = malloc(KEYS_BYTES_MAX)) == NULL) ||
	    !issuer_keys_open(&r->keys, issuer, shared->keys, tools)) {
		log_error("issuer \"%s\": there is no room for its keys", issuer->name);
		refresh_free(&r);
		return NULL;
	}
	snprintf(r->uri, sizeof(r->uri), "%s", issuer->jwks_uri);
	r->label = metric_name(span_of(issuer->name));
	r->tried = r->keys.set != NULL;
	r->next_ms = file ? 0 : first_attempt_ms(r);
	task_wake(loop, &r->task);
	return r;
}

void
refresh_look(struct refresh *r)
{
	task_wake(r->loop, &r->task);
}

bool
refresh_tried(const struct refresh *r)
{
	return r->tried;
}

void
refresh_free(struct refresh **r)
{
	if (*r == NULL)
		return;
	loop_unwatch((*r)->loop, &(*r)->watch);
	task_end((*r)->loop, &(*r)->task);
	fetch_end(&(*r)->fetch);
	issuer_keys_close(&(*r)->keys);
	free((*r)->buf);
	free(*r);
	*r = NULL;
}
