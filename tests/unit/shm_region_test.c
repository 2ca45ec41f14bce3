#include <errno.h>
#include <fcntl.h>

#include "shm/region.h"
#include "tests/unit/shm_memory.h"

static const struct region_part_spec specs[] = {
	{ "small", 1, 10 },
	{ "large", 7, 300 * 1000 },
	{ "empty", 1, 0 },
};

START_TEST(parts_are_found_by_name_and_version)
{
	struct region region;
	size_t size = 0;
	char *part;

	ck_assert_int_eq(region_create(&region, specs, 3), 0);
	part = region_part(&region, "large", 7, &size);
	ck_assert_ptr_nonnull(part);
	ck_assert_uint_eq(size, 300 * 1000);
	ck_assert_uint_eq((uintptr_t)part % 4096, 0);
	ck_assert_int_eq(part[0], 0);
	ck_assert_int_eq(part[size - 1], 0);
	ck_assert_ptr_null(region_part(&region, "large", 6, NULL));
	ck_assert_ptr_null(region_part(&region, "other", 1, NULL));
	region_close(&region);
	region_close(&region);
}
END_TEST

START_TEST(another_mapping_sees_the_same)
{
	struct region region, again;

	ck_assert_int_eq(region_create(&region, specs, 3), 0);
	strcpy(region_part(&region, "small", 1, NULL), "hello");
	ck_assert_int_eq(region_attach(&again, dup(region.fd)), 0);
	region_close(&region);
	ck_assert_str_eq(region_part(&again, "small", 1, NULL), "hello");
	region_close(&again);
}
END_TEST

START_TEST(what_is_no_region_is_refused)
{
	struct region region;
	int fd = memfd_create("other", MFD_CLOEXEC);

	ck_assert_int_eq(region_attach(&region, fd), -EPROTO);
	ck_assert_int_eq(ftruncate(fd, 8192), 0);
	ck_assert_int_eq(region_attach(&region, fd), -EPROTO);
	close(fd);
	ck_assert_int_eq(region_attach(&region, fd), -EBADF);
}
END_TEST

START_TEST(damaged_directory_is_refused)
{
	struct region region, again;

	ck_assert_int_eq(region_create(&region, specs, 3), 0);
	((uint64_t *)region.base)[2] += 4096;
	ck_assert_int_eq(region_attach(&again, region.fd), -EPROTO);
	region_close(&region);
}
END_TEST

START_TEST(size_is_sealed)
{
	struct region region;

	ck_assert_int_eq(region_create(&region, specs, 3), 0);
	ck_assert_int_ne(ftruncate(region.fd, 4096), 0);
	region_close(&region);
}
END_TEST

START_TEST(impossible_wishes_are_refused)
{
	const struct region_part_spec huge[] = { { "a", 1, SIZE_MAX - 5000 }, { "b", 1, 9000 } };
	const struct region_part_spec name[] = { { "a name of more than thirty-one bytes", 1, 1 } };
	struct region region;

	ck_assert_int_eq(region_create(&region, huge, 2), -EOVERFLOW);
	ck_assert_int_eq(region_create(&region, name, 1), -ENAMETOOLONG);
}
END_TEST

MEMORY_RUN("shm_region", parts_are_found_by_name_and_version, another_mapping_sees_the_same,
    what_is_no_region_is_refused, damaged_directory_is_refused, size_is_sealed,
    impossible_wishes_are_refused)
