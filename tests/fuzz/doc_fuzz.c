/*
 * The JSON of a token. What must hold: whatever is accepted, jansson accepts too (no repeated
 * names) and finds the same in it, value by value; as many values are enough as DOC_VALUES() says;
 * what is written of it reads as the same again, and is written so again.
 */
#include <jansson.h>
#include <math.h>

#include "gateway/token/doc.h"
#include "tests/fuzz/fuzz.h"

#define MAX_BYTES	4096

static void must_be_same(const struct doc_value *value, const json_t *json);

static void
must_be_same_object(const struct doc_value *object, const json_t *json)
{
	size_t members = 0;

	for (const struct doc_value *v = doc_first(object); v != NULL; v = doc_next(object, v)) {
		char *name = strndup(v->name.p, v->name.n);

		fuzz_must(name != NULL && strlen(name) == v->name.n);
		must_be_same(v, json_object_get(json, name));
		fuzz_must(doc_get(object, v->name) == v);
		free(name);
		members++;
	}
	fuzz_must(members == json_object_size(json));
}

static void
must_be_same_number(const struct doc_value *value, const json_t *json)
{
	int64_t integer;
	double real;

	if (doc_integer(value, &integer))
		fuzz_must(json_is_integer(json) ? json_integer_value(json) == integer
		    : json_real_value(json) == (double)integer);
	fuzz_must(json_is_number(json));
	if (doc_real(value, &real))
		fuzz_must(isfinite(real) && json_number_value(json) == real);
	else	/* a claim is no place for a number of so many digits */
		fuzz_must(value->text.n >= 64);
}

static void
must_be_same(const struct doc_value *value, const json_t *json)
{
	size_t i = 0;

	fuzz_must(json != NULL);
	switch (value->type) {
	case DOC_NULL:
		fuzz_must(json_is_null(json));
		break;
	case DOC_FALSE:
		fuzz_must(json_is_false(json));
		break;
	case DOC_TRUE:
		fuzz_must(json_is_true(json));
		break;
	case DOC_NUMBER:
		must_be_same_number(value, json);
		break;
	case DOC_STRING:
		fuzz_must(json_is_string(json) && span_eq(doc_string(value),
		    span_make(json_string_value(json), json_string_length(json))));
		break;
	case DOC_ARRAY:
		fuzz_must(json_is_array(json));
		for (const struct doc_value *v = doc_first(value); v != NULL;
		    v = doc_next(value, v))
			must_be_same(v, json_array_get(json, i++));
		fuzz_must(i == json_array_size(json));
		break;
	case DOC_OBJECT:
		fuzz_must(json_is_object(json));
		must_be_same_object(value, json);
		break;
	}
}

static struct text
write_out(const struct doc_value *values)
{
	size_t room = 6 * MAX_BYTES;	/* no byte becomes more than six */
	struct text t = { malloc(room), 0, room, false };

	fuzz_must(t.p != NULL && doc_write(&t, values));
	return t;
}

static void
must_be_read_again(const struct doc_value *values)
{
	static struct doc_value again[MAX_BYTES + 1];
	struct text one = write_out(values);
	struct span copy = fuzz_copy(text_span(&one));

	fuzz_must(doc_parse(again, MAX_BYTES + 1, (char *)(uintptr_t)copy.p, copy.n));
	for (size_t i = 0; i < values->count; i++)
		fuzz_must(again[i].type == values[i].type && again[i].count == values[i].count &&
		    span_eq(again[i].name, values[i].name) &&
		    span_eq(again[i].text, values[i].text));
	struct text other = write_out(again);
	fuzz_must(span_eq(text_span(&one), text_span(&other)));
	free(one.p);
	free(other.p);
	fuzz_free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct doc_value enough[MAX_BYTES + 1];
	json_error_t error;

	if (n > MAX_BYTES)
		return 0;
	size_t max = DOC_VALUES(n);
	struct doc_value *values = calloc(max, sizeof(*values));
	struct span one = fuzz_copy(span_make(data, n)), other = fuzz_copy(one);
	fuzz_must(values != NULL);
	bool good = doc_parse(values, max, (char *)(uintptr_t)one.p, n);
	fuzz_must(good == doc_parse(enough, MAX_BYTES + 1, (char *)(uintptr_t)other.p, n));
	if (good) {
		json_t *json = json_loadb((const char *)data, n, JSON_REJECT_DUPLICATES, &error);

		/* jansson has limits for numbers; a doc leaves them to who asks for one */
		fuzz_must(json != NULL ||
		    json_error_code(&error) == json_error_numeric_overflow);
		if (json != NULL)
			must_be_same(values, json);
		json_decref(json);
		must_be_read_again(values);
	}
	free(values);
	fuzz_free(one);
	fuzz_free(other);
	return 0;
}
