/* Runs a fuzz target over files: its corpus is part of the unit tests, with any compiler. */
#include "tests/fuzz/fuzz.h"

static void
replay(const char *path)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(path, "re");

	fuzz_must(file != NULL);
	size_t n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	struct span copy = fuzz_copy(span_make(bytes, n));
	LLVMFuzzerTestOneInput((const uint8_t *)copy.p, copy.n);
	fuzz_free(copy);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		fprintf(stderr, "%s\n", argv[i]);	/* the last one is the culprit */
		replay(argv[i]);
	}
	printf("%d passed, 0 failed\n", argc - 1);
	return EXIT_SUCCESS;
}
