/* Headers that tell a backend who calls, sent by somebody who must not say so. */
#include "gateway/cli/audit_probe.h"

#define LINES	1024

const char *const audit_identity[AUDIT_IDENTITIES] = {
	"X-Consumer-ID", "X-Consumer-Username", "X-Consumer-Custom-ID", "X-Credential-Identifier",
	"X-Authenticated-Scope", "X-Authenticated-Userid", "X-Anonymous-Consumer",
};

/* Appends a line with the marker for a value, and a NUL that doesn't count. */
static void
put_marked(struct text *t, const struct audit *a, const char *name)
{
	text_fmt(t, "%s: %s\r\n", name, a->marker);
	t->p[t->n] = '\0';
}

bool
make_identity(struct audit *a, const struct audit_probe *p)
{
	char lines[LINES];
	struct text t = TEXT_OVER(lines);

	put_marked(&t, a, p->argument);
	return audit_put(a, &(struct audit_head){ .token = a->forge.token, .lines = lines });
}

bool
make_identity_hop(struct audit *a, const struct audit_probe *p)
{
	char lines[LINES], connection[LINES];
	struct text t = TEXT_OVER(lines);

	put_marked(&t, a, p->argument);
	snprintf(connection, sizeof(connection), "close, %s", p->argument);
	return audit_put(a, &(struct audit_head){ .token = a->forge.token, .lines = lines,
		.connection = connection });
}

bool
make_hop(struct audit *a, const struct audit_probe *p)
{
	char connection[LINES];
	struct text t = { connection, 0, sizeof(connection) - 1, false };

	(void)p;
	text_str(&t, "close");
	for (size_t i = 0; i < AUDIT_IDENTITIES; i++) {
		text_str(&t, ", ");
		text_str(&t, audit_identity[i]);
	}
	connection[t.n] = '\0';
	return audit_put(a, &(struct audit_head){ .token = a->forge.token,
		.connection = connection });
}

bool
make_identities(struct audit *a, const struct audit_probe *p)
{
	char lines[LINES];
	struct text t = TEXT_OVER(lines);

	(void)p;
	for (size_t i = 0; i < AUDIT_IDENTITIES; i++)
		put_marked(&t, a, audit_identity[i]);
	return audit_put(a, &(struct audit_head){ .lines = lines });
}
