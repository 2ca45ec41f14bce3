#include "tests/unit/token_support.h"

#include <jansson.h>

#include "gateway/token/doc.h"

#define VALUES	4096

static struct doc_value values[VALUES];
static char copy[65536];

static const struct doc_value *
parse(const char *text, size_t n)
{
	memcpy(copy, text, n);
	return doc_parse(values, DOC_VALUES(n), copy, n) ? values : NULL;
}

static const struct doc_value *
parse_text(const char *text)
{
	return parse(text, strlen(text));
}

START_TEST(good_texts_are_read)
{
	const char *const good[] = { "{}", " {\t\r\n} ", "{\"\":1}", "{\"a\":[]}", "{\"a\":{}}",
		"{\"a\":[1,2,[3,{\"b\":4}]],\"c\":null,\"d\":true,\"e\":false}",
		"{\"a\":0,\"b\":-0,\"c\":1.5,\"d\":1e5,\"e\":1E+5,\"f\":-1.5e-5}",
		"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}",
		"{\"a\":\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}",
		"{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(parse_text(good[i]) != NULL, "%s", good[i]);
}
END_TEST

/* Every byte at every place of a string that is long enough to be passed over in strides. */
START_TEST(strings_are_read_byte_by_byte)
{
	char text[] = "{\"a\":\"01234567890123456789012345\"}";
	struct span string = { text + 6, 26 };

	for (size_t at = 0; at < string.n; at++)
		for (unsigned c = 0; c < 256; c++) {
			char was = text[6 + at];
			bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

			text[6 + at] = (char)c;
			const struct doc_value *doc = parse(text, sizeof(text) - 1);
			ck_assert_msg((doc != NULL) == plain, "byte %u at %zu", c, at);
			if (plain)
				ck_assert(span_eq(doc_string(doc_get(doc, SPAN("a"))), string));
			text[6 + at] = was;
		}
}
END_TEST

START_TEST(bad_texts_are_refused)
{
	const char *const bad[] = { "", " ", "[]", "1", "\"x\"", "null", "{", "}", "{}{}", "{} x",
		"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}",
		"{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":[1}", "{\"a\":[1}]",
		"{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":1e+}",
		"{\"a\":-}", "{\"a\":--1}", "{\"a\":0x1}", "{\"a\":1_0}", "{\"a\":NaN}",
		"{\"a\":Infinity}", "{\"a\":tru}", "{\"a\":True}", "{\"a\":nul}", "{\"a\":truex}",
		"{\"a\":\"", "{\"a\":\"\\", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}",
		"{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u0000\"}", "{\"a\\u0000\":1}",
		"{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800\\ud800\"}",
		"{\"a\":\"\\ud800x\"}", "{\"a\":\"\n\"}", "{\"a\":\"\t\"}", "{\"a\":\"\x1f\"}",
		"{\"a\":\"\x80\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xc1\xbf\"}",
		"{\"a\":\"\xe0\x80\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}",
		"{\"a\":\"\xf5\x80\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "{\"a\":\"\xff\"}",
		"\xef\xbb\xbf{}", "{}/**/", "{\"a\":1}//", "{\"a\":1,\"a\":1}",
		"{\"a\":1,\"\\u0061\":1}", "{\"b\":{\"a\":1,\"a\":1}}", "{\"\":1,\"\":1}",
		"{\"a\":[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]}" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse_text(bad[i]) == NULL, "%s", bad[i]);
	ck_assert_ptr_null(parse("{}\0", 3));
	ck_assert_ptr_null(parse("{\"a\":\"x\0y\"}", 11));
	ck_assert_ptr_null(parse("{\"a\0\":1}", 8));
}
END_TEST

START_TEST(values_are_found_by_name)
{
	const struct doc_value *o = parse_text("{\"a\":[1,[2,3],{\"x\":4}],\"b\":{\"a\":\"deep\"},"
	    "\"\\u0063\":\"\\u00e9\\n\",\"d\":-12,\"e\":1.5,\"f\":9223372036854775808,\"g\":1e400}");
	const struct doc_value *a = doc_get(o, SPAN("a"));
	int64_t integer;
	double real;
	size_t n = 0;

	ck_assert_ptr_nonnull(a);
	for (const struct doc_value *v = doc_first(a); v != NULL; v = doc_next(a, v))
		n++;
	ck_assert_uint_eq(n, 3);
	ck_assert(span_eq(doc_string(doc_get(doc_get(o, SPAN("b")), SPAN("a"))), SPAN("deep")));
	ck_assert(span_eq(doc_string(doc_get(o, SPAN("c"))), SPAN("\xc3\xa9\n")));
	ck_assert(doc_integer(doc_get(o, SPAN("d")), &integer) && integer == -12);
	ck_assert(!doc_integer(doc_get(o, SPAN("e")), &integer));
	ck_assert(doc_real(doc_get(o, SPAN("e")), &real) && real > 1.4 && real < 1.6);
	ck_assert(!doc_integer(doc_get(o, SPAN("f")), &integer));
	ck_assert(!doc_real(doc_get(o, SPAN("g")), &real));
	ck_assert_ptr_null(doc_get(o, SPAN("x")));
	ck_assert_ptr_null(doc_get(a, SPAN("x")));
	ck_assert_ptr_null(doc_get(NULL, SPAN("x")));
	ck_assert_ptr_null(doc_string(doc_get(o, SPAN("d"))).p);
	ck_assert_ptr_null(doc_first(doc_first(a)));
}
END_TEST

START_TEST(bounds_are_kept)
{
	char text[8192] = "{";

	for (int i = 0; i < DOC_NAMES_MAX; i++)
		sprintf(text + strlen(text), "%s\"%d\":0", i > 0 ? "," : "", i);
	strcat(text, "}");
	ck_assert_ptr_nonnull(parse_text(text));
	sprintf(text + strlen(text) - 1, ",\"x\":0}");
	ck_assert_ptr_null(parse_text(text));
	strcpy(copy, "{\"a\":[1,2,3]}");
	ck_assert(!doc_parse(values, 4, copy, strlen(copy)));
	strcpy(copy, "{\"a\":[1,2,3]}");
	ck_assert(doc_parse(values, 5, copy, strlen(copy)));
}
END_TEST

/* True if both readers found the same value. */
static bool
same(const struct doc_value *v, const json_t *j)
{
	const struct doc_value *inner = doc_first(v);
	const char *name;
	json_t *value;
	size_t i;

	switch (v->type) {
	case DOC_NULL:
		return json_is_null(j);
	case DOC_FALSE:
		return json_is_false(j);
	case DOC_TRUE:
		return json_is_true(j);
	case DOC_NUMBER:
		return json_is_number(j);
	case DOC_STRING:
		return json_is_string(j) && span_eq(v->text,
		    span_make(json_string_value(j), json_string_length(j)));
	case DOC_ARRAY:
		if (!json_is_array(j))
			return false;
		json_array_foreach(j, i, value) {
			if (inner == NULL || !same(inner, value))
				return false;
			inner = doc_next(v, inner);
		}
		return inner == NULL;
	case DOC_OBJECT:
		json_object_foreach((json_t *)(uintptr_t)j, name, value)
			if (doc_get(v, span_of(name)) == NULL ||
			    !same(doc_get(v, span_of(name)), value))
				return false;
		return json_is_object(j);
	}
	return false;
}

/* Takes and refuses what jansson takes and refuses, bounds and the size of numbers aside. */
static void
compare(const char *text, size_t n)
{
	json_error_t error;
	json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
	const struct doc_value *mine = parse(text, n);
	enum json_error_code why = json == NULL ? json_error_code(&error) : json_error_unknown;

	if (json != NULL && json_is_object(json))
		ck_assert_msg(mine != NULL && same(mine, json), "%.*s", (int)n, text);
	else if (why != json_error_numeric_overflow)
		ck_assert_msg(mine == NULL, "%.*s: %s", (int)n, text, error.text);
	json_decref(json);
}

START_TEST(it_agrees_with_jansson)
{
	static const char pieces[] = "{}[]\",:\\ \t019-+.eEutrfalsn/bx\x80\xc3\xa9\xf0\x1f";
	const char *const seeds[] = {
		"{\"iss\":\"https:\\/\\/id\",\"aud\":[\"a\",\"b\"],\"exp\":1.5e3,\"x\":{\"y\":[true,null]}}",
		"{\"a\":\"\\u00e9\\ud83d\\ude00\\n\",\"\\u0062\":-0.5,\"c\":[[],{},\"\"],\"d\":false}",
		"{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\",\"b\":[1,22,333],\"ab\":{\"a\":1,\"b\":2}}" };
	uint64_t random = 42;
	char text[256];

	for (int round = 0; round < 30000; round++) {
		const char *seed = seeds[round % 3];
		size_t n = strlen(seed);
		memcpy(text, seed, n);
		for (int changes = 0; changes <= round % 4; changes++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			size_t at = (random >> 33) % n;
			char piece = pieces[(random >> 20) % (sizeof(pieces) - 1)];
			if ((random >> 13 & 3) == 0) {
				memmove(text + at, text + at + 1, --n - at);
			} else if ((random >> 13 & 3) == 1) {
				memmove(text + at + 1, text + at, n++ - at);
				text[at] = piece;
			} else {
				text[at] = piece;
			}
		}
		compare(text, n);
	}
}
END_TEST

/* One spelling, and nothing lost: what was written is read again as the same. */
START_TEST(values_are_written)
{
	static const struct {
		const char	*text;
		const char	*written;
	} rows[] = {
		{ " { } ", "{}" },
		{ "{\"a\" : [ 1 , -2.50e+3 , [ ] , { } , true , false , null ]}",
		  "{\"a\":[1,-2.50e+3,[],{},true,false,null]}" },
		{ "{\"\\u0061\\\"\":\"\\\"\\\\\\/\\b\\n\\u007f\\u00e9\\ud83d\\ude00\"}",
		  "{\"a\\\"\":\"\\\"\\\\/\\u0008\\n\\u007f\xc3\xa9\xf0\x9f\x98\x80\"}" },
		{ "{\"\":\"\",\"act\":{\"sub\":\"x\",\"act\":{\"sub\":\"y\"}}}",
		  "{\"\":\"\",\"act\":{\"sub\":\"x\",\"act\":{\"sub\":\"y\"}}}" },
	};
	char out[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text t = TEXT_OVER(out);
		const struct doc_value *doc = parse_text(rows[i].text);

		ck_assert_ptr_nonnull(doc);
		ck_assert(doc_write(&t, doc));
		ck_assert_msg(span_eq(text_span(&t), span_of(rows[i].written)), "%.*s",
		    (int)t.n, t.p);
	}
	const struct doc_value *doc = parse_text("{\"a\":[1,2]}");
	for (size_t size = 0; size < 11; size++)
		ck_assert_int_eq(doc_write(&(struct text){ out, 0, size, false }, doc), false);
	ck_assert(doc_write(&(struct text){ out, 0, 11, false }, doc));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_doc");
	TCase *tc = tcase_create("doc");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, good_texts_are_read);
	tcase_add_test(tc, strings_are_read_byte_by_byte);
	tcase_add_test(tc, bad_texts_are_refused);
	tcase_add_test(tc, values_are_found_by_name);
	tcase_add_test(tc, bounds_are_kept);
	tcase_add_test(tc, it_agrees_with_jansson);
	tcase_add_test(tc, values_are_written);
	return run_suite(suite);
}
