#include <string.h>

#include "gateway/conf/build.h"

/*
 * Claims that the backend is told of in headers, of a route or of an issuer: "claim=Header".
 */

static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = span_lower(s.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') &&
		    (c == '\0' || strchr("-_", c) == NULL))
			return false;
	}
	return s.n > 0 && s.n <= 64;
}

/* Many servers make no difference between "-" and "_" in a name, so neither do we. */
static bool
same_header(struct span a, struct span b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		char x = span_lower(a.p[i]), y = span_lower(b.p[i]);

		if ((x == '_' ? '-' : x) != (y == '_' ? '-' : y))
			return false;
	}
	return a.n == b.n;
}

/* Headers that the gateway itself answers for, or that frame or reroute the message. */
static bool
is_reserved(struct span header)
{
	static const char *const names[] = { "Host", "Connection", "Content-Length",
	    "Transfer-Encoding", "Authorization", "Upgrade", "TE", "Trailer", "Expect",
	    "Keep-Alive", "Proxy-Authorization", "Forwarded", "X-Request-ID",
	    "X-Anonymous-Consumer", "X-Consumer-ID", "X-Consumer-Username", "X-Consumer-Custom-ID",
	    "X-Credential-Identifier", "X-Authenticated-Scope", "X-Authenticated-Userid",
	    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
	    "X-Forwarded-Port", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method",
	    "X-HTTP-Method-Override", "X-Method-Override", "Cookie", "Date", "Via" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (same_header(header, span_of(names[i])))
			return true;
	return false;
}

static void
build_claim_header(struct build *b, const struct section *s, const char *text,
    struct config_claim_header *row)
{
	const char *equals = strchr(text, '=');
	struct span claim = span_make(text, equals == NULL ? 0 : (size_t)(equals - text));
	struct span header = span_of(equals == NULL ? NULL : equals + 1);

	row->claim = build_string(b, claim);
	row->header = build_string(b, header);
	if (claim.n == 0 || !is_token(header))
		build_error(b, s, "claim_headers", "\"%s\" is no claim and header (accepted: "
		    "\"email=X-User-Email\", \"realm_access.roles=X-Roles\")", text);
	else if (is_reserved(header))
		build_error(b, s, "claim_headers",
		    "\"%s\" has a meaning of its own (accepted: any other header)",
		    row->header);
}

void
build_claim_headers(struct build *b, const struct section *s, struct config_claim_header **list,
    size_t *n)
{
	size_t given = section_size(s, "claim_headers");
	struct config_claim_header *rows = build_array(b, given, sizeof(*rows));

	*list = rows;
	*n = rows == NULL ? 0 : given;
	for (size_t i = 0; i < *n; i++) {
		build_claim_header(b, s, section_value(s, "claim_headers", i), &rows[i]);
		for (size_t j = 0; j < i; j++)
			if (same_header(span_of(rows[i].header), span_of(rows[j].header)))
				build_error(b, s, "claim_headers",
				    "two claims go into %s (accepted: one)", rows[i].header);
	}
}
