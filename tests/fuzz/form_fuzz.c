/*
 * Forms of the token service's endpoints. What must hold of one that is fine: its values are valid
 * UTF-8 without NUL, no name but audience and resource comes twice, and written out again it reads
 * the same.
 */
#include "gateway/base/encode.h"
#include "gateway/oauth/form.h"
#include "tests/fuzz/fuzz.h"

static size_t
put_escaped(char *out, struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += (size_t)sprintf(out + n, "%%%02x", (unsigned char)s.p[i]);
	return n;
}

static void
must_be_text(struct span s)
{
	fuzz_must(utf8_valid(s) && (s.n == 0 || memchr(s.p, 0, s.n) == NULL));
}

/* Every character escaped, in the same order. */
static void
must_read_the_same(const struct form *form, size_t room)
{
	char *text = malloc(room * 3 + FORM_PARAMS_MAX * 2 + 1);
	static struct form again;
	size_t n = 0;

	fuzz_must(text != NULL);
	for (unsigned i = 0; i < form->n; i++) {
		n += put_escaped(text + n, form->params[i].name);
		text[n++] = '=';
		n += put_escaped(text + n, form->params[i].value);
		text[n++] = '&';
	}
	fuzz_must(form_parse(&again, text, n) == FORM_FINE && again.n == form->n);
	for (unsigned i = 0; i < form->n; i++)
		fuzz_must(span_eq(again.params[i].name, form->params[i].name) &&
		    span_eq(again.params[i].value, form->params[i].value));
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span copy = fuzz_copy(span_make(data, n));
	static struct form form;

	if (form_parse(&form, (char *)(uintptr_t)copy.p, n) == FORM_FINE) {
		fuzz_must(form.n <= FORM_PARAMS_MAX);
		for (unsigned i = 0; i < form.n; i++) {
			must_be_text(form.params[i].name);
			must_be_text(form.params[i].value);
			for (unsigned k = 0; k < i; k++)
				fuzz_must(!span_eq(form.params[i].name, form.params[k].name) ||
				    span_eq(form.params[i].name, SPAN("audience")) ||
				    span_eq(form.params[i].name, SPAN("resource")));
		}
		must_read_the_same(&form, n);
	}
	fuzz_free(copy);
	return 0;
}
