#include "shm/names.h"
#include "tests/unit/shm_memory.h"

static struct names *
names_new(void)
{
	return names_init(memory_new(names_size()), names_size(), memory_key);
}

START_TEST(a_name_keeps_its_number)
{
	struct names *names = names_new();
	const char *bytes;
	size_t len;

	ck_assert_uint_eq(names_intern(names, "orders", 6), 1);
	ck_assert_uint_eq(names_intern(names, "", 0), 2);
	ck_assert_uint_eq(names_intern(names, "orders2", 7), 3);
	ck_assert_uint_eq(names_intern(names, "orders", 6), 1);
	bytes = names_get(names, 3, &len);
	ck_assert_uint_eq(len, 7);
	ck_assert_mem_eq(bytes, "orders2", 7);
	ck_assert_ptr_null(names_get(names, 0, &len));
	ck_assert_ptr_null(names_get(names, 4, &len));
}
END_TEST

START_TEST(it_ends_at_its_limits)
{
	struct names *names = names_new();
	char long_name[NAMES_LEN_MAX + 1] = { 0 };
	uint64_t n, wrong = 0;

	ck_assert_uint_eq(names_intern(names, long_name, NAMES_LEN_MAX + 1), 0);
	ck_assert_uint_eq(names_intern(names, long_name, NAMES_LEN_MAX), 1);
	for (n = 2; n <= NAMES_MAX; n++)
		wrong += names_intern(names, &n, sizeof(n)) != n;
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(names_intern(names, "more", 4), 0);
	n = 30000;
	ck_assert_uint_eq(names_intern(names, &n, sizeof(n)), 30000);
}
END_TEST

START_TEST(concurrent_newcomers_agree)
{
	struct names *names = names_new();
	uint16_t(*ids)[1000] = memory_new(sizeof(uint16_t[4][1000]));
	uint32_t n;
	int i;

	for (i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		for (n = 0; n < 1000; n++)
			ids[i][n] = names_intern(names, &n, sizeof(n));
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		wait(NULL);
	for (i = 1; i < 4; i++)
		ck_assert_mem_eq(ids[0], ids[i], sizeof(ids[0]));
}
END_TEST

MEMORY_RUN("shm_names", a_name_keeps_its_number, it_ends_at_its_limits, concurrent_newcomers_agree)
