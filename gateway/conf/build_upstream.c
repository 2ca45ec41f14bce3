#include <stdio.h>
#include <string.h>

#include "gateway/conf/address.h"
#include "gateway/conf/build.h"
#include "gateway/conf/fingerprint.h"

static const char server_accepts[] = "accepted: http://host:port";

/*
 * "host:port" as Host has it: the port left out when it is the scheme's own (RFC 9110 section
 * 7.2).
 */
static const char *
make_authority(struct build *b, const struct address_url *url)
{
	bool v6 = url->host.n > 0 && memchr(url->host.p, ':', url->host.n) != NULL;
	char text[300];

	int n = snprintf(text, sizeof(text), "%s%.*s%s", v6 ? "[" : "", SPAN_ARG(url->host),
	    v6 ? "]" : "");
	if (url->port != 80)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ":%u", url->port);
	return build_string(b, span_make(text, (size_t)n));
}

static void
build_server(struct build *b, const struct section *s, const char *text,
    struct config_server *server)
{
	struct address_url url;
	struct fingerprint f = { 0 };
	const char *why = address_url(span_of(text), &url);

	if (why != NULL) {
		build_error(b, s, "servers", "\"%s\": %s (%s)", text, why, server_accepts);
		return;
	}
	if (url.tls) {
		build_error(b, s, "servers",
		    "\"%s\": https is not supported yet for upstream servers (%s)", text,
		    server_accepts);
		return;
	}
	if (url.path.n > 0 && !span_eq(url.path, SPAN("/"))) {
		build_error(b, s, "servers", "\"%s\": there is a path in the URL (%s)", text,
		    server_accepts);
		return;
	}
	why = address_resolve(url.host, url.port, &server->address, &server->address_len);
	if (why != NULL)
		build_error(b, s, "servers", "\"%s\": the address of the host can't be found: %s",
		    text, why);
	server->url = build_string(b, span_of(text));
	server->authority = make_authority(b, &url);
	fingerprint_add(&f, span_of(s->title));
	fingerprint_add(&f, span_of(text));
	server->id = f.value == 0 ? 1 : f.value;
}

static void
build_servers(struct build *b, const struct section *s, struct config_upstream *u)
{
	size_t n = section_size(s, "servers");

	u->servers = build_array(b, n, sizeof(*u->servers));
	u->n_servers = u->servers == NULL ? 0 : n;
	for (size_t i = 0; i < u->n_servers; i++) {
		build_server(b, s, section_value(s, "servers", i), &u->servers[i]);
		for (size_t j = 0; j < i; j++)
			if (u->servers[j].id == u->servers[i].id && u->servers[i].id != 0)
				build_error(b, s, "servers",
				    "\"%s\" is there twice (accepted: each once)",
				    u->servers[i].url);
	}
}

static void
build_health_check(struct build *b, const struct section *parent, struct config_health_check *check)
{
	struct section s = section_inner(parent, "health_check", 0);

	build_fill(b, &s, check);
	for (const char *p = check->path; *p != '\0'; p++)
		if (check->path[0] != '/' || *p == ' ' || *p == '#') {
			build_error(b, &s, "path", "\"%s\" is no path (accepted: \"/healthz\")",
			    check->path);
			return;
		}
}

void
build_upstreams(struct build *b, const struct section *root)
{
	size_t n = section_count(root, "upstream");

	b->config->upstreams = build_array(b, n, sizeof(*b->config->upstreams));
	b->config->n_upstreams = b->config->upstreams == NULL ? 0 : n;
	for (size_t i = 0; i < b->config->n_upstreams; i++) {
		struct config_upstream *u = &b->config->upstreams[i];
		struct section s = section_inner(root, "upstream", i);

		u->name = build_string(b, span_of(s.title));
		u->line = s.line;
		build_check_title(b, &s);
		build_fill(b, &s, u);
		build_servers(b, &s, u);
		build_health_check(b, &s, &u->health_check);
	}
}
