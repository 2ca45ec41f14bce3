#include "gateway/http/field.h"

#define NAME_MAX_LEN	24	/* longer names are none of the table's */

struct row {
	struct span	name;
	enum field_fate	request;
	enum field_fate	response;
};

static const struct row rows[FIELD_COUNT] = {
	[FIELD_OTHER] = { { "", 0 }, FATE_PASS, FATE_PASS },
	[FIELD_IDENTITY] = { { "", 0 }, FATE_DROP, FATE_PASS },
	[FIELD_LOOKALIKE] = { { "", 0 }, FATE_DROP, FATE_DROP },
#define FIELD(id, name, request, response) \
	[FIELD_##id] = { { name, sizeof(name) - 1 }, FATE_##request, FATE_##response },
#include "gateway/http/field.def"
#undef FIELD
};

#define FIRST_ROW	(FIELD_LOOKALIKE + 1)

static char
fold(char c)
{
	c = span_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

/* First row whose name has at least this length. */
static unsigned
first_of_length(size_t n)
{
	unsigned low = FIRST_ROW, high = FIELD_COUNT;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (rows[middle].name.n < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_identity(const char *folded, size_t n)
{
	static const struct span family[] = {
		SPAN("x-consumer-"), SPAN("x-credential-"), SPAN("x-authenticated-"),
	};

	for (size_t i = 0; i < sizeof(family) / sizeof(family[0]); i++)
		if (n >= family[i].n && memcmp(folded, family[i].p, family[i].n) == 0)
			return true;
	return false;
}

enum field_id
field_find(struct span name)
{
	char folded[NAME_MAX_LEN];
	size_t n = name.n < NAME_MAX_LEN ? name.n : NAME_MAX_LEN;
	bool sloppy = false;

	for (size_t i = 0; i < n; i++) {
		folded[i] = fold(name.p[i]);
		sloppy |= folded[i] == '-' && name.p[i] != '-';
	}
	if (n > 0 && folded[0] == 'x' && is_identity(folded, n))
		return FIELD_IDENTITY;
	if (name.n > NAME_MAX_LEN)
		return FIELD_OTHER;
	for (unsigned i = first_of_length(n); i < FIELD_COUNT && rows[i].name.n == n; i++)
		if (memcmp(rows[i].name.p, folded, n) == 0)
			return sloppy ? FIELD_LOOKALIKE : (enum field_id)i;
	return FIELD_OTHER;
}

enum field_fate
field_request_fate(enum field_id id)
{
	return rows[id].request;
}

enum field_fate
field_response_fate(enum field_id id)
{
	return rows[id].response;
}

struct span
field_name(enum field_id id)
{
	return rows[id].name;
}

bool
field_same_name(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (fold(a.p[i]) != fold(b.p[i]))
			return false;
	return true;
}
