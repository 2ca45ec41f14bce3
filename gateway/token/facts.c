#include "gateway/token/facts.h"

const struct facts *
facts_view(const void *bytes, size_t n)
{
	const struct facts *f = bytes;

	if (n < sizeof(*f) || f->version != FACTS_VERSION || f->size != n)
		return NULL;
	for (size_t i = 0; i < FACTS_COUNT; i++)
		if ((size_t)f->part[i].at + f->part[i].n > n)
			return NULL;
	return f;
}

void
facts_identify(struct facts *f, struct span signing_input)
{
	struct span jti = facts_get(f, FACTS_JTI);
	char stand_in[IDENTITY_STAND_IN];

	if (jti.n == 0) {
		identity_stand_in(signing_input, stand_in);
		jti = span_make(stand_in, sizeof(stand_in));
	}
	identity_make(IDENTITY_JTI, facts_get(f, FACTS_ISSUER), jti, f->identity);
}

bool
facts_has_scope(const struct facts *f, struct span scope)
{
	struct span rest = facts_get(f, FACTS_SCOPE), word;

	if (scope.n == 0)
		return false;
	while (span_next(&rest, ' ', &word))
		if (span_eq(word, scope))
			return true;
	return false;
}

bool
facts_next(struct span *rest, struct span *item)
{
	uint16_t n;

	if (rest->n < sizeof(n))
		return false;
	memcpy(&n, rest->p, sizeof(n));
	*rest = span_skip(*rest, sizeof(n));
	if (n > rest->n)
		return false;
	*item = span_make(rest->p, n);
	*rest = span_skip(*rest, n);
	return true;
}

bool
facts_has_audience(const struct facts *f, struct span audience)
{
	struct span rest = facts_get(f, FACTS_AUDIENCE), item;

	while (facts_next(&rest, &item))
		if (span_eq(item, audience))
			return true;
	return false;
}

bool
facts_claim(const struct facts *f, struct span claim, struct span *value)
{
	struct span rest = facts_get(f, FACTS_CLAIMS), name;

	while (facts_next(&rest, &name) && facts_next(&rest, value))
		if (span_eq(name, claim))
			return value->n > 0;
	return false;
}
