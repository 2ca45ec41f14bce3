#include "gateway/finder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/access/respondent.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/discovery.h"
#include "gateway/http/fetch_task.h"
#include "shm/keys.h"

#define FETCH_TIMEOUT_MS	10000
#define DOCUMENT_MAX		KEYS_BYTES_MAX
#define PAUSE_FIRST_MS		1000
#define PAUSE_MAX_MS		30000

struct finder {
	struct task			 task;
	struct loop			*loop;
	const struct config_issuer	*issuer;
	const struct shared		*shared;
	struct keys_slot		 slot;
	struct fetch_task		 fetch;
	bool				 fetching;
	uint64_t			 next_ms;	/* the next attempt */
	unsigned			 failures;	/* in a row */
	bool				 tried;
	char				 url[RESPONDENT_URL];	/* found last; "": never */
	char				 complaint[320];	/* what the log was told last */
};

bool
finder_is_needed(const struct config_issuer *issuer)
{
	return issuer->validate != VALIDATE_LOCAL && issuer->introspection.endpoint[0] == '\0';
}

bool
finder_tried(const struct finder *f)
{
	return f->tried;
}

static uint64_t
random_ms(uint64_t below)
{
	return below == 0 ? 0 : arc4random_uniform((uint32_t)below);
}

/* An attempt has ended; the next is due after this pause, spread a little. */
static void
rest(struct finder *f, uint64_t pause_ms)
{
	f->fetching = false;
	f->tried = true;
	f->next_ms = loop_now_ms(f->loop) + pause_ms - random_ms(pause_ms / 10);
}

static void
attempt_failed(struct finder *f, const char *reason)
{
	uint64_t pause_ms = PAUSE_MAX_MS;

	if (f->failures < 5)
		pause_ms = (uint64_t)PAUSE_FIRST_MS << f->failures;
	f->failures++;
	rest(f, pause_ms);
	if (strcmp(f->complaint, reason) == 0)
		return;
	snprintf(f->complaint, sizeof(f->complaint), "%s", reason);
	if (f->url[0] == '\0')
		log_error("issuer \"%s\": where it is asked about tokens is not known: %s; "
		    "trying on", f->issuer->name, reason);
	else
		log_warn("issuer \"%s\": discovery: %s; it is asked where it was before",
		    f->issuer->name, reason);
}

static void
attempt_done(struct finder *f, const char *url)
{
	int64_t now_s = clock_wall_s();

	if (!keys_publish(&f->slot, url, strlen(url), now_s < 0 ? 0 : (uint64_t)now_s)) {
		attempt_failed(f, "its place in shared memory is lost");
		return;
	}
	if (strcmp(f->url, url) != 0)
		log_notice("issuer \"%s\": it is asked about tokens at %s", f->issuer->name,
		    url);
	else if (f->complaint[0] != '\0')
		log_notice("issuer \"%s\": discovery works again", f->issuer->name);
	snprintf(f->url, sizeof(f->url), "%s", url);
	f->complaint[0] = '\0';
	f->failures = 0;
	rest(f, f->issuer->jwks_refresh_s * 1000);
}

static void
begin(struct finder *f)
{
	char url[RESPONDENT_URL];
	const struct fetch_request request = {
		.url = url,
		.accept = "application/json",
		.ca_file = f->issuer->ca_file,
		.max_bytes = DOCUMENT_MAX,
		.timeout_ms = FETCH_TIMEOUT_MS,
		.redirects = FETCH_REDIRECTS_MAX,
	};

	f->fetching = true;
	if (!discovery_url(f->issuer->issuer, url, sizeof(url)))
		attempt_failed(f, "the issuer's name is too long for discovery");
	else if (!fetch_task_begin(&f->fetch, f->loop, &request, &f->task))
		attempt_failed(f, "there is no memory");
}

/* The document is there, or there is none. */
static void
take(struct finder *f)
{
	const struct fetch_result *result = &f->fetch.result;
	char url[RESPONDENT_URL], reason[sizeof(f->complaint)];
	const char *wrong = reason;

	if (result->reason != NULL)
		snprintf(reason, sizeof(reason), "the discovery document: %.200s",
		    result->reason);
	else if (result->status != 200)
		snprintf(reason, sizeof(reason), "the discovery document: status %u",
		    result->status);
	else
		wrong = discovery_read_introspection(result->body, f->issuer->issuer, url,
		    sizeof(url));
	fetch_task_end(&f->fetch);
	if (wrong == NULL)
		attempt_done(f, url);
	else
		attempt_failed(f, wrong);
}

static void
run(struct loop *loop, struct task *task)
{
	struct finder *f = (struct finder *)task;

	if (!f->fetching && loop_now_ms(loop) >= f->next_ms)
		begin(f);
	if (f->fetching && fetch_task_run(&f->fetch) != RUN_WAIT)
		take(f);
	if (!f->fetching)
		task_deadline(loop, task, f->next_ms);
}

struct finder *
finder_new(struct loop *loop, const struct config_issuer *issuer, const struct shared *shared)
{
	struct finder *f = calloc(1, sizeof(*f));
	uint64_t generation;

	if (f == NULL || !keys_slot(shared->keys, respondent_slot_id(issuer), true, &f->slot)) {
		log_error("issuer \"%s\": there is no room for where it is asked about tokens",
		    issuer->name);
		free(f);
		return NULL;
	}
	f->loop = loop;
	f->issuer = issuer;
	f->shared = shared;
	/* what an earlier keeper found serves until this one has looked */
	size_t n = keys_read(&f->slot, f->url, sizeof(f->url) - 1, &generation);
	f->url[n] = '\0';
	task_init(&f->task, run);
	task_wake(loop, &f->task);
	return f;
}

void
finder_free(struct finder **finder)
{
	struct finder *f = *finder;

	*finder = NULL;
	if (f == NULL)
		return;
	fetch_task_end(&f->fetch);
	task_end(f->loop, &f->task);
	free(f);
}
