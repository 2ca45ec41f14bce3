#include "gateway/access/resource.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/access/access.h"
#include "gateway/base/text.h"
#include "gateway/conf/address.h"

#define ROOM	4096	/* at first */

/* What the routes of a resource say together, each once. */
struct list {
	struct span	*members;
	size_t		 n;
};

static void
add(struct list *list, struct span member)
{
	for (size_t i = 0; i < list->n; i++)
		if (span_eq(list->members[i], member))
			return;
	list->members[list->n++] = member;
}

/* What has no URL is no authorization server that a client could go to (RFC 8414 section 2). */
static void
add_issuers(struct list *list, const struct config_route *route)
{
	struct address_url url;

	for (size_t i = 0; i < route->n_issuers; i++) {
		struct span iss = span_of(route->issuers[i]->issuer);

		if (address_url(iss, &url) == NULL)
			add(list, iss);
	}
}

static void
add_scopes(struct list *list, const struct config_route *route)
{
	for (size_t i = 0; i < route->n_scopes; i++)
		add(list, route->scopes[i]);
}

/* Section 3.2: a list without members is left out. */
static void
put_list(struct text *t, const char *name, const struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (i == 0)
			text_fmt(t, ",\"%s\":[", name);
		else
			text_char(t, ',');
		text_json(t, list->members[i]);
	}
	if (list->n > 0)
		text_char(t, ']');
}

static char *
write_document(const char *resource, const struct list *issuers, const struct list *scopes)
{
	for (size_t room = ROOM;; room *= 2) {
		char *memory = malloc(room);
		struct text t = { memory, 0, room - 1, false };

		if (memory == NULL)
			return NULL;
		text_put(&t, SPAN("{\"resource\":"));
		text_json(&t, span_of(resource));
		put_list(&t, "authorization_servers", issuers);
		put_list(&t, "scopes_supported", scopes);
		text_put(&t, SPAN(",\"bearer_methods_supported\":[\"header\"]}\n"));
		memory[t.n] = '\0';
		if (!t.cut)
			return memory;
		free(memory);
	}
}

char *
resource_document(const struct config *config, const char *resource)
{
	size_t n_scopes = 1;
	char *document = NULL;

	for (size_t r = 0; r < config->n_routes; r++)
		n_scopes += config->routes[r].n_scopes;
	struct list issuers = { calloc(config->n_issuers + 1, sizeof(struct span)), 0 };
	struct list scopes = { calloc(n_scopes, sizeof(struct span)), 0 };
	if (issuers.members != NULL && scopes.members != NULL) {
		for (size_t r = 0; r < config->n_routes; r++)
			if (strcmp(config->routes[r].resource, resource) == 0) {
				add_issuers(&issuers, &config->routes[r]);
				add_scopes(&scopes, &config->routes[r]);
			}
		document = write_document(resource, &issuers, &scopes);
	}
	free(issuers.members);
	free(scopes.members);
	return document;
}

enum step_result
answer_resource(struct request *r)
{
	request_answer(r, 200, SPAN("Content-Type: application/json\r\n"
	    "Cache-Control: public, max-age=300\r\nAccess-Control-Allow-Origin: *\r\n"),
	    r->endpoint->document);
	return STEP_END;
}
