/*
 * Request targets, as head_parse_request() lets them through. What must hold of one that is fine:
 * it is in a form that normalizes to itself, holds nothing a backend could read in another way, and
 * says the same as what was sent.
 */
#include <ctype.h>

#include "gateway/http/target.h"
#include "tests/fuzz/fuzz.h"

static bool
comes_through_a_head(struct span raw)
{
	if (raw.n == 0 || (raw.p[0] != '/' && raw.p[0] != '?'))
		return false;
	for (size_t i = 0; i < raw.n; i++)
		if (raw.p[i] <= 0x20 || raw.p[i] >= 0x7f || memchr("#\"<>", raw.p[i], 4) != NULL)
			return false;
	return true;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* All escapes decoded and runs of slashes made one, without a look at what comes of it. */
static size_t
decode(struct span s, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			c = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
			i += 2;
		}
		if (c != '/' || n == 0 || out[n - 1] != '/')
			out[n++] = c;
	}
	return n;
}

static void
must_be_normal(struct span path)
{
	fuzz_must(path.n > 0 && path.p[0] == '/' && memchr(path.p, '\\', path.n) == NULL);
	fuzz_must(memmem(path.p, path.n, "//", 2) == NULL);
	fuzz_must(memmem(path.p, path.n, "/../", 4) == NULL);
	fuzz_must(memmem(path.p, path.n, "/./", 3) == NULL);
	fuzz_must(memmem(path.p, path.n, "/..;", 4) == NULL);
	fuzz_must(memmem(path.p, path.n, "/..%3B", 6) == NULL);
	fuzz_must(path.n < 3 || memcmp(path.p + path.n - 3, "/..", 3) != 0);
	fuzz_must(path.n < 2 || memcmp(path.p + path.n - 2, "/.", 2) != 0);
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] != '%')
			continue;
		fuzz_must(i + 2 < path.n);
		int c = hex(path.p[i + 1]) << 4 | hex(path.p[i + 2]);
		fuzz_must(isupper((unsigned char)path.p[i + 1]) ||
		    isdigit((unsigned char)path.p[i + 1]));
		fuzz_must(isupper((unsigned char)path.p[i + 2]) ||
		    isdigit((unsigned char)path.p[i + 2]));
		fuzz_must(c >= 0x20 && c != 0x7f && c != '/' && c != '\\' && c != '.');
		fuzz_must(c > 0x7f || !isalnum(c));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static _Alignas(16) char memory[3][4096];
	struct target t, again;
	struct arena arena;

	if (n > 4000 || !comes_through_a_head(span_make(data, n)))
		return 0;
	arena_init(&arena, memory[0], sizeof(memory[0]), 1 << 16);
	struct span raw = fuzz_copy(span_make(data, n));
	if (target_normalize(&t, raw, &arena) == TARGET_FINE) {
		const char *question = memchr(raw.p, '?', raw.n);
		size_t path_n = question == NULL ? raw.n : (size_t)(question - raw.p);

		must_be_normal(t.path);
		fuzz_must(t.query.n == raw.n - path_n);
		fuzz_must(target_normalize(&again, t.path, &arena) == TARGET_FINE);
		fuzz_must(span_eq(again.path, t.path) && again.query.n == 0);
		if (path_n > 0) {
			size_t a = decode(span_make(raw.p, path_n), memory[1]);
			size_t b = decode(t.path, memory[2]);
			fuzz_must(a == b && memcmp(memory[1], memory[2], a) == 0);
		}
		fuzz_must(target_covers(SPAN("/"), t.path) && target_covers(t.path, t.path));
		target_query_has(t.query, SPAN("access_token"));
	}
	arena_reset(&arena);
	fuzz_free(raw);
	return 0;
}
