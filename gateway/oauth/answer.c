#include "gateway/oauth/answer.h"

#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/base/text.h"

#define FIELDS_ROOM	512
#define BODY_ROOM	512
#define TELL_EVERY_MS	1000

#define PLAIN_FIELDS	"Content-Type: application/json\r\nCache-Control: no-store\r\n" \
			"Pragma: no-cache\r\n"

static const struct {
	unsigned	 status;
	const char	*error;
	const char	*verdict;
	const char	*sentence;
} rows[FAULT_COUNT] = {
#define FAULT(id, status, error, verdict, sentence) \
	[FAULT_##id] = { status, error, verdict, sentence },
#include "gateway/oauth/fault.def"
#undef FAULT
};

static const char *const outcomes[OUTCOME_COUNT] = {
	[OUTCOME_ISSUED] = "issued",
	[OUTCOME_REUSED] = "reused",
	[OUTCOME_ACTIVE] = "active",
	[OUTCOME_INACTIVE] = "inactive",
	[OUTCOME_REVOKED] = "revoked",
	[OUTCOME_LOGOUT] = "logout",
};

/* Tells log and metrics what came of the request; the label of a name is looked up once. */
static void
note(struct request *r, const char *verdict, uint16_t *label)
{
	if (*label == 0)
		*label = metric_name(span_of(verdict));
	r->outcome = verdict;
	r->outcome_label = *label;
}

enum step_result
fault(struct request *r, enum fault fault)
{
	return fault_because(r, fault, (struct fault_more){ 0 });
}

static void
put_fields(struct text *t, const struct request *r, unsigned status, unsigned retry_after_s)
{
	text_put(t, SPAN(PLAIN_FIELDS));
	if (status == 401)
		text_put(t, SPAN("WWW-Authenticate: Basic realm=\"gatehouse\"\r\n"));
	if (status == 429 || status == 503 || retry_after_s > 0)
		text_fmt(t, "Retry-After: %u\r\n", retry_after_s > 0 ? retry_after_s : 1);
	text_put(t, r->limit_fields);
}

enum step_result
fault_because(struct request *r, enum fault fault, struct fault_more more)
{
	static uint16_t labels[FAULT_COUNT];
	const char *sentence = more.sentence != NULL ? more.sentence : rows[fault].sentence;
	size_t room = FIELDS_ROOM + r->limit_fields.n;
	char *memory = arena_alloc(&r->arena, room + BODY_ROOM);

	note(r, rows[fault].verdict, &labels[fault]);
	if (memory == NULL) {
		/* not even that much: a bare status says it */
		r->must_close = true;
		request_answer(r, 503, SPAN(PLAIN_FIELDS), SPAN(""));
		return STEP_END;
	}
	struct text fields = { memory, 0, room, false };
	struct text body = { memory + room, 0, BODY_ROOM, false };
	put_fields(&fields, r, rows[fault].status, more.retry_after_s);
	text_fmt(&body, "{\"error\":\"%s\",\"error_description\":\"%s\"}\n", rows[fault].error,
	    sentence);
	request_answer(r, rows[fault].status, text_span(&fields), text_span(&body));
	return STEP_END;
}

enum step_result
fault_store(struct request *r, enum db_outcome outcome, const char *sqlstate)
{
	static uint64_t told_ms;
	uint64_t now_ms = loop_now_ms(r->gate->loop);

	if (outcome == DB_REFUSED && now_ms >= told_ms + TELL_EVERY_MS) {
		told_ms = now_ms;
		log_error("the database refuses what the token service asks of it (SQLSTATE %s)",
		    sqlstate);
	}
	return fault(r, FAULT_UNAVAILABLE);
}

enum fault
fault_of_verdict(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_KEYS_UNAVAILABLE:
		return FAULT_NO_KEYS;
	case VERDICT_STORE_UNAVAILABLE:
	case VERDICT_CONSUMERS_UNAVAILABLE:
		return FAULT_UNAVAILABLE;
	case VERDICT_REVOCATIONS_UNSURE:
		return FAULT_UNSURE;
	case VERDICT_ASK_ISSUER:
	case VERDICT_INTROSPECTION_FAILED:
	case VERDICT_INTROSPECTION_BUSY:
		return FAULT_NO_INTROSPECTION;
	case VERDICT_NO_MEMORY:
		return FAULT_NO_MEMORY;
	case VERDICT_ACTIVE:
	case VERDICT_EXPIRED:
	case VERDICT_NOT_YET_VALID:
	case VERDICT_BAD_SIGNATURE:
	case VERDICT_UNKNOWN_KEY:
	case VERDICT_WRONG_ISSUER:
	case VERDICT_WRONG_AUDIENCE:
	case VERDICT_ALGORITHM:
	case VERDICT_TOKEN_TYPE:
	case VERDICT_MALFORMED:
	case VERDICT_ENCRYPTED:
	case VERDICT_EXTENSION:
	case VERDICT_BOUND:
	case VERDICT_NO_CONSUMER:
	case VERDICT_UNKNOWN_CONSUMER:
	case VERDICT_TOO_LARGE:
	case VERDICT_REVOKED:
	case VERDICT_INACTIVE:
	case VERDICT_UNKNOWN_TOKEN:
	case VERDICT_COUNT:
		break;
	}
	return FAULT_COUNT;
}

static struct span
success_fields(struct request *r)
{
	size_t room = sizeof(PLAIN_FIELDS) + r->limit_fields.n;
	struct text t = { NULL, 0, room, false };

	if (r->limit_fields.n == 0 || (t.p = arena_alloc(&r->arena, room)) == NULL)
		return SPAN(PLAIN_FIELDS);
	text_put(&t, SPAN(PLAIN_FIELDS));
	text_put(&t, r->limit_fields);
	return text_span(&t);
}

static void
note_outcome(struct request *r, enum outcome outcome)
{
	static uint16_t labels[OUTCOME_COUNT];

	note(r, outcomes[outcome], &labels[outcome]);
}

enum step_result
answer_json(struct request *r, enum outcome outcome, struct span json)
{
	note_outcome(r, outcome);
	request_answer(r, 200, success_fields(r), json);
	return STEP_END;
}

enum step_result
answer_nothing(struct request *r, enum outcome outcome)
{
	note_outcome(r, outcome);
	request_answer(r, 200, SPAN("Cache-Control: no-store\r\n"), SPAN(""));
	return STEP_END;
}
