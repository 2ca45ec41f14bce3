#include "gateway/token/purpose.h"

static bool
is_one_of(struct span word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq_nocase(word, span_of(words[i])))
			return true;
	return false;
}

bool
purpose_is_other(const struct doc_value *claims)
{
	static const char *const foreign[] = { "nonce", "at_hash", "c_hash", "s_hash", "events" };
	static const char *const types[] = { "ID", "Refresh", "Offline", "Logout" };
	static const char *const uses[] = { "id", "refresh", "id_token", "refresh_token" };
	struct span type = doc_string(doc_get(claims, SPAN("typ")));
	struct span use = doc_string(doc_get(claims, SPAN("token_use")));

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (doc_get(claims, span_of(foreign[i])) != NULL)
			return true;
	return is_one_of(type, types, sizeof(types) / sizeof(types[0])) ||
	    is_one_of(use, uses, sizeof(uses) / sizeof(uses[0]));
}
