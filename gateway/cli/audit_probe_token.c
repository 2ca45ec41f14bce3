/* Where the token stands, and which one. */
#include <stdio.h>
#include <string.h>

#include "gateway/cli/audit_probe.h"

#define LINES	(3 * FORGE_TOKEN_MAX)

bool
make_good(struct audit *a, const struct audit_probe *p)
{
	return audit_put(a, &(struct audit_head){ .token = a->forge.token, .lines = p->argument });
}

bool
make_bare(struct audit *a, const struct audit_probe *p)
{
	return audit_put(a, &(struct audit_head){ .lines = p->argument });
}

/* Writes a->forged; false after a->why. */
static bool
forge(struct audit *a, forge_maker *maker, const char *argument)
{
	a->forged.n = 0;
	a->forged.cut = false;
	if (!maker(&a->forge, argument, &a->forged)) {
		a->why = a->forge.why;
		return false;
	}
	if (a->forged.cut)
		a->why = "the token would be too long";
	else if (span_eq(text_span(&a->forged), a->forge.token))
		a->why = "that changes nothing in this token";
	else
		return true;
	return false;
}

bool
make_token(struct audit *a, const struct audit_probe *p)
{
	return forge(a, p->forge, p->argument) &&
	    audit_put(a, &(struct audit_head){ .token = text_span(&a->forged) });
}

/* A token that nothing is wrong with but its signature. */
static bool
forge_bad(struct audit *a)
{
	return forge_is_jwt(&a->forge) && a->forge.signature_n > 0 ?
	    forge(a, forge_signature, "bit") : forge(a, forge_flip, NULL);
}

bool
make_authorization(struct audit *a, const struct audit_probe *p)
{
	char memory[LINES];
	struct text t = TEXT_OVER(memory);

	if (!forge_bad(a))
		return false;
	text_str(&t, "Authorization: ");
	for (const char *c = p->argument; *c != '\0'; c++) {
		if (*c == '%')
			text_put(&t, text_span(&a->forged));
		else
			text_char(&t, *c);
	}
	text_put(&t, span_make("\r\n", 3));	/* and the end of the string */
	if (t.cut) {
		a->why = "the token is too long";
		return false;
	}
	return audit_put(a, &(struct audit_head){ .lines = memory });
}

bool
make_several(struct audit *a, const struct audit_probe *p)
{
	char memory[LINES];
	struct text t = TEXT_OVER(memory);

	if (!forge_bad(a))
		return false;
	text_str(&t, "Authorization: ");
	for (const char *c = p->argument; *c != '\0'; c++) {
		if (*c == ' ') {
			text_str(&t, "\r\nAuthorization: ");
		} else if (*c == ',') {
			text_str(&t, ", ");
		} else {
			text_str(&t, "Bearer ");
			text_put(&t, *c == 'g' ? a->forge.token : text_span(&a->forged));
		}
	}
	text_put(&t, span_make("\r\n", 3));
	if (t.cut) {
		a->why = "the token is too long";
		return false;
	}
	return audit_put(a, &(struct audit_head){ .lines = memory });
}

/* Appends the token as a parameter's value. */
static void
put_parameter(struct text *t, const char *name, struct span token)
{
	static const char plain[] = "-._~";

	text_str(t, name);
	text_char(t, '=');
	for (size_t i = 0; i < token.n; i++) {
		char c = token.p[i], lower = span_lower(c);

		if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
		    strchr(plain, c) != NULL)
			text_char(t, c);
		else
			text_fmt(t, "%%%02X", (unsigned char)c);
	}
}

bool
make_query(struct audit *a, const struct audit_probe *p)
{
	char memory[LINES + URL_TARGET_MAX];
	struct text t = TEXT_OVER(memory);

	text_put(&t, a->path);
	text_put(&t, a->query);
	text_char(&t, a->query.n == 0 ? '?' : '&');
	put_parameter(&t, p->argument, a->forge.token);
	if (t.cut) {
		a->why = "the token is too long";
		return false;
	}
	return audit_put(a, &(struct audit_head){ .target = text_span(&t) });
}

bool
make_form(struct audit *a, const struct audit_probe *p)
{
	char memory[LINES];
	struct text t = TEXT_OVER(memory);

	put_parameter(&t, p->argument, a->forge.token);
	if (t.cut) {
		a->why = "the token is too long";
		return false;
	}
	return audit_put(a, &(struct audit_head){ .content = text_span(&t),
		.lines = "Content-Type: application/x-www-form-urlencoded\r\n" });
}
