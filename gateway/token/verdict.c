#include "gateway/token/verdict.h"

#include <stddef.h>

#include "gateway/base/must.h"

enum lasting { ASK, KEEP };

static const struct row {
	const char	*name;
	const char	*sentence;
	enum lasting	 lasting;
} verdict_table[VERDICT_COUNT] = {
#define VERDICT(name, label, keep, sentence)	{ label, sentence, keep },
#include "gateway/token/verdict.def"
#undef VERDICT
};

static const struct row *
row_of(enum verdict verdict)
{
	must((size_t)verdict < VERDICT_COUNT);
	return &verdict_table[verdict];
}

const char *
verdict_name(enum verdict verdict)
{
	return row_of(verdict)->name;
}

const char *
verdict_sentence(enum verdict verdict)
{
	return row_of(verdict)->sentence;
}

bool
verdict_keeps(enum verdict verdict)
{
	return row_of(verdict)->lasting == KEEP;
}
