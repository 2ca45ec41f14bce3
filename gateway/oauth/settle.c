/*
 * What a token will be good for. The results have one spelling for one meaning, so that requests
 * for the same share a token: words and members stand in the order of the client's own lists,
 * whatever the order they were asked for.
 */
#include "gateway/base/text.h"
#include "gateway/oauth/answer.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/refresh.h"
#include "gateway/oauth/service.h"

#define ALLOWED_MAX	512	/* scopes, or audiences, of one client */

/* Members of up to two lists, and which of them are chosen. */
struct choice {
	const struct span	*list[2];
	size_t			 n[2];
	bool			 chosen[ALLOWED_MAX];
};

static size_t
choice_size(const struct choice *c)
{
	size_t n = c->n[0] + c->n[1];

	return n < ALLOWED_MAX ? n : ALLOWED_MAX;
}

static struct span
choice_member(const struct choice *c, size_t i)
{
	return i < c->n[0] ? c->list[0][i] : c->list[1][i - c->n[0]];
}

/* Chooses the first member like this; false if there is none. */
static bool
choose(struct choice *c, struct span value)
{
	for (size_t i = 0; i < choice_size(c); i++)
		if (span_eq(choice_member(c, i), value))
			return c->chosen[i] = true;
	return false;
}

static bool
has_word(struct span words, struct span wanted)
{
	struct span word;

	while (span_next(&words, ' ', &word))
		if (span_eq(word, wanted))
			return true;
	return false;
}

/* Chooses the words of the form; false if one is not there, or not within the other words. */
static bool
choose_words(struct choice *c, struct span words, const struct span *within, bool *any)
{
	struct span word;

	*any = false;
	while (span_next(&words, ' ', &word)) {
		if (word.n == 0)
			continue;
		*any = true;
		if (!choose(c, word) || (within != NULL && !has_word(*within, word)))
			return false;
	}
	return true;
}

static bool
write_scope(struct request *r, const struct choice *c)
{
	size_t room = 1;

	for (size_t i = 0; i < choice_size(c); i++)
		room += c->chosen[i] ? choice_member(c, i).n + 1 : 0;
	struct text t = { arena_alloc(&r->arena, room), 0, room, false };
	if (t.p == NULL)
		return false;
	for (size_t i = 0; i < choice_size(c); i++) {
		if (!c->chosen[i])
			continue;
		if (t.n > 0)
			text_char(&t, ' ');
		text_put(&t, choice_member(c, i));
	}
	r->oauth->scope = text_span(&t);
	return true;
}

enum step_result
settle_scope(struct request *r)
{
	const struct oauth_client *client = r->oauth->client;
	struct choice c = { .list = { client->scopes }, .n = { client->n_scopes } };
	bool any;

	if (!choose_words(&c, form_get(&r->oauth->form, SPAN("scope")), NULL, &any))
		return fault(r, FAULT_SCOPE);
	if (!any)
		memset(c.chosen, true, sizeof(c.chosen));
	return write_scope(r, &c) ? STEP_NEXT : fault(r, FAULT_NO_MEMORY);
}

/* The words of a scope as a list; NULL without memory. What is beyond ALLOWED_MAX is left out. */
static struct span *
list_words(struct request *r, struct span scope, size_t *n)
{
	struct span *words = arena_alloc(&r->arena, ALLOWED_MAX * sizeof(*words)), word;

	*n = 0;
	while (words != NULL && *n < ALLOWED_MAX && span_next(&scope, ' ', &word))
		if (word.n > 0)
			words[(*n)++] = word;
	return words;
}

static bool
has_scope(const struct oauth_client *client, struct span word)
{
	for (size_t i = 0; i < client->n_scopes; i++)
		if (span_eq(client->scopes[i], word))
			return true;
	return client->n_scopes == 0;
}

enum step_result
settle_scope_within(struct request *r, struct span scope)
{
	struct choice c = { 0 };
	struct span *words = list_words(r, scope, &c.n[0]);
	bool any;

	if (words == NULL)
		return fault(r, FAULT_NO_MEMORY);
	c.list[0] = words;
	if (!choose_words(&c, form_get(&r->oauth->form, SPAN("scope")), NULL, &any))
		return fault(r, FAULT_LESS_SCOPE);
	/* one by one, so that a word that stands there twice is taken once */
	for (size_t i = 0; !any && i < choice_size(&c); i++)
		choose(&c, words[i]);
	for (size_t i = 0; i < choice_size(&c); i++) {
		if (!c.chosen[i] || has_scope(r->oauth->client, words[i]))
			continue;
		if (any)
			return fault(r, FAULT_LESS_SCOPE);
		c.chosen[i] = false;
	}
	if (!write_scope(r, &c))
		return fault(r, FAULT_NO_MEMORY);
	return r->oauth->scope.n > 0 ? STEP_NEXT : fault(r, FAULT_LESS_SCOPE);
}

/* A resource is an absolute URI without a fragment (RFC 8707 section 2). */
static bool
is_absolute(struct span uri)
{
	const char *colon = memchr(uri.p, ':', uri.n);

	return colon != NULL && colon != uri.p && memchr(uri.p, '#', uri.n) == NULL;
}

/* Chooses what the form asks for; false if some of it is not there. */
static bool
choose_targets(struct choice *c, const struct form *form, bool *any)
{
	struct span value;

	*any = false;
	for (unsigned at = 0; form_next(form, SPAN("audience"), &at, &value); *any = true)
		if (!choose(c, value))
			return false;
	for (unsigned at = 0; form_next(form, SPAN("resource"), &at, &value); *any = true)
		if (!is_absolute(value) || !choose(c, value))
			return false;
	return true;
}

/* Writes the audience as a list and as JSON. */
static enum step_result
write_audience(struct request *r, const struct choice *c)
{
	struct oauth *o = r->oauth;
	size_t room = 2;

	o->audiences = arena_alloc(&r->arena, (choice_size(c) + 1) * sizeof(*o->audiences));
	if (o->audiences == NULL)
		return fault(r, FAULT_NO_MEMORY);
	for (size_t i = 0; i < choice_size(c); i++) {
		if (!c->chosen[i])
			continue;
		o->audiences[o->n_audiences++] = choice_member(c, i);
		room += 6 * choice_member(c, i).n + 3;
	}
	if (o->n_audiences == 0)
		return fault(r, FAULT_TARGET);
	struct text t = { arena_alloc(&r->arena, room), 0, room, false };
	if (t.p == NULL)
		return fault(r, FAULT_NO_MEMORY);
	for (size_t i = 0; i < o->n_audiences; i++) {
		text_char(&t, i == 0 ? '[' : ',');
		text_json(&t, o->audiences[i]);
	}
	text_char(&t, ']');
	o->audience = text_span(&t);
	return STEP_NEXT;
}

static struct choice
reachable(const struct request *r)
{
	const struct config_token_service *config = r->gate->config->token_service;
	const struct oauth_client *client = r->oauth->client;

	return (struct choice){ .list = { client->audiences, config->audience },
		.n = { client->n_audiences, config->n_audience } };
}

enum step_result
settle_target(struct request *r)
{
	const struct config_token_service *config = r->gate->config->token_service;
	struct choice c = reachable(r);
	bool any;

	if (!choose_targets(&c, &r->oauth->form, &any))
		return fault(r, FAULT_TARGET);
	for (size_t i = 0; !any && i < config->n_audience; i++)
		choose(&c, config->audience[i]);
	return write_audience(r, &c);
}

/* What the client has lost since is not given again, though it was given once. */
static enum step_result
settle_scope_again(struct request *r)
{
	const struct oauth_client *client = r->oauth->client;
	struct choice c = { .list = { client->scopes }, .n = { client->n_scopes } };
	struct span given = r->oauth->refresh->scope;
	bool any;

	if (!choose_words(&c, form_get(&r->oauth->form, SPAN("scope")), &given, &any))
		return fault(r, FAULT_SCOPE);
	for (size_t i = 0; !any && i < choice_size(&c); i++)
		c.chosen[i] = has_word(given, choice_member(&c, i));
	return write_scope(r, &c) ? STEP_NEXT : fault(r, FAULT_NO_MEMORY);
}

enum step_result
settle_again(struct request *r)
{
	const struct refresh_search *given = r->oauth->refresh;
	struct choice c = reachable(r), within;
	enum step_result result = settle_scope_again(r);
	bool any;

	if (result != STEP_NEXT)
		return result;
	if (!choose_targets(&c, &r->oauth->form, &any))
		return fault(r, FAULT_TARGET);
	within = (struct choice){ .list = { given->audiences }, .n = { given->n_audiences } };
	for (size_t i = 0; i < choice_size(&c); i++) {
		bool was_given = choose(&within, choice_member(&c, i));

		if (any && c.chosen[i] && !was_given)
			return fault(r, FAULT_TARGET);
		/* a name that stands in both lists is taken once, as choose() does */
		if (!any && was_given)
			choose(&c, choice_member(&c, i));
	}
	return write_audience(r, &c);
}
