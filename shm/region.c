#include "shm/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define REGION_MAGIC 0x6d68735f65746167ULL /* "gate_shm" */
#define REGION_LAYOUT 1
#define PART_ALIGN ((size_t)4096)

struct part {
	char name[REGION_NAME_MAX + 1];
	uint32_t version;
	uint32_t unused;
	uint64_t offset;
	uint64_t size;
};

struct header {
	uint64_t magic;
	uint32_t layout;
	uint32_t parts_n;
	uint64_t size;
	struct part parts[REGION_PARTS_MAX];
};

_Static_assert(sizeof(struct header) <= PART_ALIGN, "the header is one page");

static bool
align_up(size_t size, size_t *aligned)
{
	return !__builtin_add_overflow(size, PART_ALIGN - 1, aligned) &&
	    (*aligned &= ~(PART_ALIGN - 1), true);
}

static int
plan(struct header *header, const struct region_part_spec *specs, size_t n)
{
	size_t end = PART_ALIGN, size, i;

	if (n > REGION_PARTS_MAX)
		return -E2BIG;
	memset(header, 0, sizeof(*header));
	for (i = 0; i < n; i++) {
		struct part *part = &header->parts[i];

		if (strlen(specs[i].name) > REGION_NAME_MAX)
			return -ENAMETOOLONG;
		strcpy(part->name, specs[i].name);
		part->version = specs[i].version;
		part->offset = end;
		part->size = specs[i].size;
		if (!align_up(specs[i].size, &size) || __builtin_add_overflow(end, size, &end))
			return -EOVERFLOW;
	}
	header->magic = REGION_MAGIC;
	header->layout = REGION_LAYOUT;
	header->parts_n = (uint32_t)n;
	header->size = end;
	return 0;
}

static int
map(struct region *region, int fd, size_t size)
{
	void *base;

	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	madvise(base, size, MADV_DONTDUMP);
	*region = (struct region){ .fd = fd, .base = base, .size = size };
	return 0;
}

int
region_create(struct region *region, const struct region_part_spec *parts, size_t n)
{
	struct header header;
	int error, fd;

	*region = (struct region){ .fd = -1 };
	error = plan(&header, parts, n);
	if (error != 0)
		return error;
	fd = memfd_create("gatehouse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)header.size) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		error = -errno;
	else
		error = map(region, fd, header.size);
	if (error != 0) {
		close(fd);
		return error;
	}
	memcpy(region->base, &header, sizeof(header));
	return 0;
}

static bool
header_fits(const struct header *header, size_t size)
{
	size_t i;

	if (header->magic != REGION_MAGIC || header->layout != REGION_LAYOUT ||
	    header->size != size || header->parts_n > REGION_PARTS_MAX)
		return false;
	for (i = 0; i < header->parts_n; i++) {
		const struct part *part = &header->parts[i];

		if (memchr(part->name, 0, sizeof(part->name)) == NULL ||
		    part->offset % PART_ALIGN != 0 || part->offset < PART_ALIGN ||
		    part->offset > size || part->size > size - part->offset)
			return false;
	}
	return true;
}

int
region_attach(struct region *region, int fd)
{
	struct stat st;
	int error;

	*region = (struct region){ .fd = -1 };
	if (fstat(fd, &st) != 0)
		return -errno;
	if (st.st_size < (off_t)PART_ALIGN)
		return -EPROTO;
	error = map(region, fd, (size_t)st.st_size);
	if (error != 0)
		return error;
	if (header_fits(region->base, region->size))
		return 0;
	munmap(region->base, region->size);
	*region = (struct region){ .fd = -1 };
	return -EPROTO;
}

void *
region_part(const struct region *region, const char *name, uint32_t version, size_t *size)
{
	const struct header *header = region->base;
	size_t i;

	for (i = 0; i < header->parts_n; i++) {
		const struct part *part = &header->parts[i];

		if (strcmp(part->name, name) != 0 || part->version != version)
			continue;
		if (size != NULL)
			*size = part->size;
		return (char *)region->base + part->offset;
	}
	return NULL;
}

void
region_close(struct region *region)
{
	if (region->base == NULL)
		return;
	munmap(region->base, region->size);
	close(region->fd);
	*region = (struct region){ .fd = -1 };
}
