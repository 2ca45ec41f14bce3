/*
 * The verdict on a token: one row of verdict.def each.
 */
#ifndef GATEWAY_TOKEN_VERDICT_H
#define GATEWAY_TOKEN_VERDICT_H

#include <stdbool.h>

enum verdict {
#define VERDICT(name, label, keep, sentence)	VERDICT_##name,
#include "gateway/token/verdict.def"
#undef VERDICT
	VERDICT_COUNT
};

/* The name in logs and metrics, "bad_signature". */
const char *verdict_name(enum verdict verdict);
/* The sentence for the client; it holds nothing of the token. */
const char *verdict_sentence(enum verdict verdict);
/* True if the verdict may be remembered for these bytes under the same rules and keys. */
bool verdict_keeps(enum verdict verdict);

#endif
