#include "gateway/request/request.h"

#include "gateway/base/clock.h"
#include "gateway/base/metric.h"
#include "gateway/base/text.h"
#include "gateway/request/access_log.h"
#include "gateway/request/step.h"

#define HEAP_LIMIT	((size_t)1 << 20)	/* of one request's arena, and of each */
#define HEADS_KEPT	4	/* heads, as read and as written, both ways */

void
request_make_id(struct gate *g, char id[REQUEST_ID_LEN])
{
	uint64_t count = g->id_count++;
	struct text t = { id, 0, REQUEST_ID_LEN, false };
	char digits[2 * sizeof(uint64_t)];

	for (int i = 0; i < 2; i++) {
		uint64_t word = i == 0 ? g->id_prefix : count;

		for (size_t k = 0; k < sizeof(digits); k++)
			digits[k] = "0123456789abcdef"[word >> (60 - 4 * k) & 15];
		text_put(&t, span_make(digits, sizeof(digits)));
	}
}

struct request *
request_new(struct gate *gate, const struct carrier *carrier, void *connection, struct task *task)
{
	struct request *r = pool_lease(&gate->requests);
	size_t fields = sizeof(struct field) * gate->limits.max_fields;

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->gate = gate;
	r->carrier = carrier;
	r->connection = connection;
	r->task = task;
	r->flow = gate->flow;
	r->scheme = SPAN("http");
	/* behind the request: its fields, those of the answer, the first memory of the arena */
	r->head.fields = (struct field *)(r + 1);
	r->answer_fields = r->head.fields + gate->limits.max_fields;
	char *memory = (char *)(r + 1) + 2 * fields;
	arena_init(&r->arena, memory, gate->requests.size - sizeof(*r) - 2 * fields,
	    HEAP_LIMIT + HEADS_KEPT * gate->limits.max_head);
	request_make_id(gate, r->id);
	r->tally.start_us = clock_us();
	return r;
}

void
request_judge_next(struct request *r, struct span token)
{
	r->token = token;
	r->judged = false;
	r->judgement = (struct judgement){ .verdict = VERDICT_MALFORMED };
	r->lookup = NULL;
	r->consumer_search = NULL;
	r->known = NULL;
	r->asking = NULL;
	r->keys_deadline_ms = 0;
	r->keys_attempts = 0;
}

struct span
request_consumer(const struct request *r)
{
	return r->known != NULL ? r->known->name : facts_get(r->judgement.facts, FACTS_CONSUMER);
}

void
request_answer(struct request *r, unsigned status, struct span fields, struct span body)
{
	r->answer = (struct answer){ .status = status, .fields = fields,
		.framing = FRAMING_LENGTH, .length = body.n };
	r->answer_body = body;
	r->phase = REQUEST_ANSWERING;
}

/* Sends an answer of our own. */
static enum run
answer(struct request *r)
{
	if (!r->answer_begun) {
		r->carrier->send_head(r, &r->answer);
		r->carrier->send_body(r, r->answer_body, true);
	}
	return r->carrier->flush(r);
}

enum run
request_run(struct request *r)
{
	enum run run = RUN_DONE;

	r->deadline_ms = 0;
	if (r->phase == REQUEST_STEPS) {
		if (step_run(r) == STEP_WAIT)
			return r->carrier->is_gone(r) ? RUN_FAIL : RUN_WAIT;
		if (r->phase == REQUEST_STEPS)
			r->phase = REQUEST_ENDED;
	}
	if (r->phase == REQUEST_ANSWERING) {
		run = answer(r);
		if (run != RUN_WAIT)
			r->phase = REQUEST_ENDED;
	}
	return run;
}

static void
count(const struct request *r, uint64_t duration_us)
{
	uint16_t route = r->route != NULL ? r->route->label :
	    r->endpoint != NULL ? r->endpoint->label : 0;
	uint16_t verdict = r->outcome != NULL ? r->outcome_label :
	    r->judged ? r->gate->verdict_labels[r->judgement.verdict] : 0;

	metric_count(METRIC_REQUESTS, route, (uint16_t)r->tally.status, verdict);
	metric_time_us(METRIC_REQUEST_DURATION, duration_us, 0);
	if (r->tally.upstream_us > 0)
		metric_time_us(METRIC_UPSTREAM_DURATION, r->tally.upstream_us, 0);
}

void
request_free(struct request **request)
{
	struct request *r = *request;

	if (r == NULL)
		return;
	uint64_t duration_us = clock_us() - r->tally.start_us;
	count(r, duration_us);
	access_log_write(r->gate->access_log, r, duration_us);
	arena_reset(&r->arena);
	pool_return(&r->gate->requests, r);
	*request = NULL;
}
