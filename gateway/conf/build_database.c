#include <libpq-fe.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/base/text.h"
#include "gateway/conf/address.h"
#include "gateway/conf/build.h"

/*
 * Where the database is. libpq takes its url apart and knows the defaults (its environment
 * variables included); what comes out is a list of parameters in which host names have become
 * addresses, since libpq would block a worker to look them up.
 *
 * What libpq says of a bad url may quote a piece of it, and that piece may be the password: so our
 * sentence stands alone.
 */

#define HOSTS_SIZE	2048

struct parameters {
	PQconninfoOption	*given;		/* by the url */
	PQconninfoOption	*fallback;	/* by the environment, or built in */
};

static const char *
value_in(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val != NULL && o->val[0] != '\0' ? o->val : NULL;
	return NULL;
}

static const char *
value_of(const struct parameters *p, const char *keyword)
{
	const char *value = value_in(p->given, keyword);

	/* looks for tickets of Kerberos, and may ask name servers: only for who wants it */
	if (value == NULL && strcmp(keyword, "gssencmode") == 0)
		return "disable";
	return value == NULL ? value_in(p->fallback, keyword) : value;
}

static bool
is_socket(struct span host)
{
	return host.n == 0 || host.p[0] == '/' || host.p[0] == '@';
}

/* Appends the address of one host; nothing for the folder of a Unix socket. */
static void
put_address(struct build *b, const struct section *s, struct span host, struct text *out)
{
	struct sockaddr_storage address;
	socklen_t len;
	char number[NI_MAXHOST];

	if (is_socket(host))
		return;
	const char *why = address_resolve(host, 0, &address, &len);
	if (why == NULL && getnameinfo((struct sockaddr *)&address, len, number, sizeof(number),
	    NULL, 0, NI_NUMERICHOST) == 0)
		text_str(out, number);
	else
		build_error(b, s, "url", "the address of the host \"%.*s\" can't be found: %s",
		    SPAN_ARG(host), why == NULL ? "it has none" : why);
}

/* The addresses of a list of hosts, as libpq wants them: one for each, separated by commas. */
static const char *
find_addresses(struct build *b, const struct section *s, const char *hosts)
{
	struct span rest = span_of(hosts), host;
	char room[HOSTS_SIZE];
	struct text out = TEXT_OVER(room);

	for (bool first = true; span_next(&rest, ',', &host); first = false) {
		if (!first)
			text_char(&out, ',');
		put_address(b, s, host, &out);
	}
	if (out.cut)
		build_error(b, s, "url", "there are too many hosts");
	return build_string(b, text_span(&out));
}

/* True if each host is a Unix socket or this machine. */
static bool
stays_here(const char *hosts)
{
	struct span rest = span_of(hosts), host;

	while (span_next(&rest, ',', &host))
		if (!is_socket(host) && !address_is_loopback(host))
			return false;
	return true;
}

static void
warn_of_weak(struct build *b, const struct section *s, const struct parameters *p)
{
	const char *hosts = value_of(p, "host"), *mode = value_of(p, "sslmode");

	if (hosts == NULL)
		hosts = value_of(p, "hostaddr");
	if (hosts == NULL || stays_here(hosts) ||
	    (mode != NULL && strcmp(mode, "verify-full") == 0))
		return;
	build_warn(b, s, "url", "nothing proves that it is the database that answers "
	    "(sslmode=verify-full does)");
}

/* What a parameter of libpq's is to be; NULL: nothing is said of it. */
static const char *
choose(struct build *b, const struct section *s, const struct parameters *p, const char *keyword)
{
	/* the encoding is ours to say, a replication is no such connection, a service is read */
	static const char *const ours[] = { "client_encoding", "replication", "service" };
	const char *value = value_of(p, keyword), *hosts = value_of(p, "host");

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(keyword, ours[i]) == 0)
			return NULL;
	if (strcmp(keyword, "hostaddr") == 0 && value == NULL && hosts != NULL)
		return find_addresses(b, s, hosts);
	if (strcmp(keyword, "fallback_application_name") == 0 && value == NULL)
		return "gatehouse";
	return value;
}

/* The lists for PQconnectStartParams. */
static void
list(struct build *b, const struct section *s, const struct parameters *p,
    struct config_database *d)
{
	size_t n = 0, most = 2;

	for (const PQconninfoOption *o = p->given; o->keyword != NULL; o++)
		most++;
	d->keywords = build_array(b, most, sizeof(*d->keywords));
	d->values = build_array(b, most, sizeof(*d->values));
	if (d->keywords == NULL || d->values == NULL)
		return;
	d->keywords[n] = "client_encoding";
	d->values[n++] = "UTF8";
	for (const PQconninfoOption *o = p->given; o->keyword != NULL; o++) {
		const char *value = choose(b, s, p, o->keyword);

		if (value == NULL || value[0] == '\0')
			continue;
		d->keywords[n] = build_string(b, span_of(o->keyword));
		d->values[n++] = build_string(b, span_of(value));
	}
}

static void
read_url(struct build *b, const struct section *s, struct config_database *d)
{
	struct parameters p = { PQconninfoParse(section_value(s, "url", 0), NULL), NULL };

	if (p.given == NULL) {
		build_error(b, s, "url", "it is no connection string of PostgreSQL (accepted: "
		    "\"postgresql://user@host:5432/name\" or \"host=... dbname=...\")");
		return;
	}
	p.fallback = PQconndefaults();
	if (value_in(p.given, "service") != NULL)
		build_error(b, s, "url",
		    "a service is named (accepted: its parameters themselves)");
	else if (p.fallback == NULL)
		build_error(b, s, "url", "there is not enough memory");
	else {
		list(b, s, &p, d);
		warn_of_weak(b, s, &p);
	}
	PQconninfoFree(p.given);
	PQconninfoFree(p.fallback);
}

void
build_database(struct build *b, const struct section *root)
{
	struct section s = section_inner(root, "database", 0);
	struct config_database *d = build_array(b, 1, sizeof(*d));

	if (d == NULL)
		return;
	d->line = s.line;
	d->workers = b->config->workers;
	build_fill(b, &s, d);
	if (!section_has(&s, "url"))
		return;
	if (section_value(&s, "url", 0)[0] == '\0')
		build_error(b, &s, "url", "it is empty (accepted: "
		    "\"postgresql://user@host:5432/name\" or \"host=... dbname=...\")");
	else
		read_url(b, &s, d);
	b->config->database = d;
}
