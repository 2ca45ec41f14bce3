#ifndef SHM_REGION_H
#define SHM_REGION_H

/*
 * One piece of memory shared by all processes of a gateway, divided into named parts.
 *
 * The memory belongs to a memfd, so it lives as long as any process maps it or holds the
 * descriptor: through the death of workers, through fork, and through exec, when a new binary
 * takes over and attaches to what the old one left. Its size is sealed. Every part begins on a
 * page of its own and is zero when new; pages nobody has touched cost nothing. The region is kept
 * out of core dumps, since it holds what tokens say.
 */

#include <stddef.h>
#include <stdint.h>

#define REGION_PARTS_MAX 64
#define REGION_NAME_MAX 31

struct region_part_spec {
	const char *name; /* at most REGION_NAME_MAX bytes, unique in its region */
	uint32_t version; /* of the layout of the part */
	size_t size;
};

struct region {
	int fd;
	void *base;
	size_t size;
};

/*
 * Makes a region with these parts. Returns 0 or -errno. The descriptor is close-on-exec; one who
 * means to hand it to a new binary clears that flag first.
 */
int region_create(struct region *region, const struct region_part_spec *parts, size_t n);

/*
 * Maps the region behind a descriptor made by region_create, perhaps by another binary. Returns 0
 * (the descriptor now belongs to the region) or -errno: -EPROTO when it is not a region of this
 * layout.
 */
int region_attach(struct region *region, int fd);

/*
 * The address of a part and its size (size may be NULL), or NULL when there is no such part in
 * this version.
 */
void *region_part(const struct region *region, const char *name, uint32_t version, size_t *size);

/* Unmaps the region and closes the descriptor. Safe on a closed one. */
void region_close(struct region *region);

#endif
