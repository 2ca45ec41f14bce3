/*
 * Answers of strangers to an audit. The first byte chooses how many are wanted and to what method.
 * What must hold: however the bytes arrive, the outcome is the same, and nothing grows past its room.
 */
#include "gateway/cli/audit_answer.h"

#include "tests/fuzz/fuzz.h"

/* state 0: all at once. */
static void
read_answer(struct audit_answer *a, uint8_t choice, struct span bytes, uint32_t state)
{
	bool more = true, whole = state == 0;

	answer_begin(a, 1 + choice % 4, (choice & 4) != 0);
	while (more && bytes.n > 0) {
		size_t step = whole ? bytes.n : fuzz_step(&state, bytes.n);
		struct span copy = fuzz_copy(span_make(bytes.p, step));

		more = answer_feed(a, copy);
		fuzz_free(copy);
		bytes = span_skip(bytes, step);
	}
	answer_finish(a, (choice & 8) != 0);
	fuzz_must(a->n <= ANSWER_STATUSES && a->body.n <= ANSWER_BODY_MAX);
	fuzz_must(a->raw.n <= ANSWER_RAW_MAX && a->retry_after_s <= 3600);
	fuzz_must((a->end == ANSWER_CAME) == (a->n > 0));
	for (unsigned i = 0; i < a->n; i++)
		fuzz_must(a->statuses[i] >= 101);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct audit_answer whole, pieces;

	if (whole.memory == NULL)
		fuzz_must(answer_init(&whole) && answer_init(&pieces));
	if (n < 2)
		return 0;
	read_answer(&whole, data[0], span_make(data + 1, n - 1), 0);
	read_answer(&pieces, data[0], span_make(data + 1, n - 1), 1 + data[1]);
	fuzz_must(whole.end == pieces.end && whole.n == pieces.n);
	fuzz_must(memcmp(whole.statuses, pieces.statuses, sizeof(whole.statuses)) == 0);
	fuzz_must(span_eq(whole.body, pieces.body));
	return 0;
}
