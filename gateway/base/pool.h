/*
 * A pool of equal blocks of memory: leased and returned without the heap once it has warmed up.
 */
#ifndef GATEWAY_BASE_POOL_H
#define GATEWAY_BASE_POOL_H

#include <stddef.h>

struct pool_block;

struct pool {
	size_t			 size;		/* of a block */
	unsigned		 kept;		/* free blocks at hand */
	unsigned		 spare;		/* free blocks that pool_trim() leaves */
	unsigned		 leased;
	unsigned		 peak;		/* most leased at once since the last pool_trim() */
	struct pool_block	*free;
};

void pool_init(struct pool *p, size_t size, unsigned spare);
/* Frees the blocks at hand; none may be leased. */
void pool_fini(struct pool *p);
/* A block of p->size bytes, aligned to 16, not zeroed; NULL when there is no memory. */
void *pool_lease(struct pool *p);
/* Gives a block back; NULL is fine. */
void pool_return(struct pool *p, void *block);

/* Frees what was not needed since the last call, but for a few; call it every second or so. */
void pool_trim(struct pool *p);

#endif
