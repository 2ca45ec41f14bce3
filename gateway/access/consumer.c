#include "gateway/access/consumer.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/access/access.h"
#include "gateway/base/log.h"
#include "gateway/token/jwt.h"

/*
 * The claim that names the consumer is looked for among the names and custom ids of the store's
 * consumers. If it is the name of one and the custom id of another there is no telling which of
 * them is meant, and it passes for neither.
 */

#define NAME_MAX_BYTES	255	/* as commands have it: what is longer can't be known */

/* Columns of FIND_CONSUMER. */
enum column {
	CONSUMER_NAME,
	CONSUMER_CUSTOM_ID,
};

/* Text that may stand in a header as it is. Commands accept no other, but SQL does. */
static bool
is_plain(struct span s)
{
	return !span_has_control(s) && memchr(s.p, '\t', s.n) == NULL && span_eq(span_trim(s), s);
}

static bool
read_consumer(const struct db_query *query, struct span id, void **record)
{
	size_t rows = db_rows(query);
	struct consumer *c;

	if (rows == 0)
		return true;
	struct span name = db_value(query, 0, CONSUMER_NAME);
	struct span custom_id = db_value(query, 0, CONSUMER_CUSTOM_ID);
	if (rows > 1 || name.n == 0 || !is_plain(name) ||
	    (custom_id.n > 0 && !is_plain(custom_id))) {
		log_warn("nobody passes as consumer \"%.*s\": %s", SPAN_ARG(id), rows > 1 ?
		    "one consumer has it for its name, another for its custom id" :
		    "its name or custom id in the database has no place in a header");
		return true;
	}
	if ((c = malloc(sizeof(*c) + name.n + custom_id.n)) == NULL)
		return false;
	char *text = (char *)(c + 1);
	memcpy(text, name.p, name.n);
	if (custom_id.n > 0)
		memcpy(text + name.n, custom_id.p, custom_id.n);
	*c = (struct consumer){ span_make(text, name.n), span_make(text + name.n, custom_id.n) };
	*record = c;
	return true;
}

const struct book_kind consumer_book = { SQL_FIND_CONSUMER, read_consumer, free, BOOK_KNOWN_MS,
	BOOK_UNKNOWN_MS, true };

bool
consumers_matter(const struct config *config)
{
	for (size_t i = 0; i < config->n_issuers; i++)
		if (config->issuers[i].unknown_consumers == UNKNOWN_CONSUMERS_REFUSE)
			return true;
	return false;
}

bool
consumer_is_listed(const struct config_issuer *issuer, struct span consumer)
{
	for (size_t i = 0; i < issuer->n_consumers; i++)
		if (span_eq(issuer->consumers[i], consumer))
			return true;
	return false;
}

static void
end_search(void *search)
{
	book_search_end(search);
}

/* Looks it up; the search, and with it the record, is held until the request ends. */
static enum book_answer
look_up(struct request *r, struct span consumer)
{
	if (r->gate->consumers == NULL || consumer.n > NAME_MAX_BYTES)
		return BOOK_UNKNOWN;
	if (r->consumer_search == NULL) {
		struct {
			struct book_search	search;
			struct arena_cleanup	cleanup;
		} *s = arena_zalloc(&r->arena, sizeof(*s));

		if (s == NULL)
			return BOOK_UNAVAILABLE;
		s->search.id = consumer;
		s->search.task = r->task;
		arena_defer(&r->arena, &s->cleanup, end_search, &s->search);
		r->consumer_search = &s->search;
	}
	return book_find(r->gate->consumers, r->consumer_search);
}

enum step_result
know_consumer(struct request *r)
{
	struct judgement *j = &r->judgement;

	if (!r->judged || j->verdict != VERDICT_ACTIVE || j->issuer == NULL ||
	    j->issuer->unknown_consumers == UNKNOWN_CONSUMERS_ALLOW)
		return STEP_NEXT;
	struct span consumer = facts_get(j->facts, FACTS_CONSUMER);
	if (consumer_is_listed(j->issuer, consumer))
		return STEP_NEXT;
	switch (look_up(r, consumer)) {
	case BOOK_WAIT:
		return STEP_WAIT;
	case BOOK_FOUND:
		r->known = r->consumer_search->record;
		/* it may have expired while we waited */
		j->verdict = jwt_judge_times(j->facts->exp_s, j->facts->nbf_s, j->facts->iat_s,
		    j->issuer, loop_wall_s(r->gate->loop));
		break;
	case BOOK_UNKNOWN:
		j->verdict = VERDICT_UNKNOWN_CONSUMER;
		break;
	case BOOK_UNAVAILABLE:
		j->verdict = VERDICT_CONSUMERS_UNAVAILABLE;
		break;
	}
	return STEP_NEXT;
}
