/*
 * Large blocks are mappings of their own: what is given back leaves the process at once, however
 * small things lie around it in the heap. Blocks are given back by pool_trim() only, which looks
 * at how many were needed lately, so a busy worker maps nothing and an idle one holds little.
 */
#include "gateway/base/pool.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LARGE	((size_t)16 * 1024)
#define PAGE	((size_t)4096)

struct pool_block {
	struct pool_block	*next;
};

void
pool_init(struct pool *p, size_t size, unsigned spare)
{
	size_t step = size >= LARGE ? PAGE : 16;

	*p = (struct pool){ .size = (size + step - 1) & ~(step - 1), .spare = spare };
}

static void *
get_memory(size_t size)
{
	if (size < LARGE)
		return malloc(size);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void
free_memory(void *p, size_t size)
{
	if (size < LARGE)
		free(p);
	else
		munmap(p, size);
}

static void
free_spare(struct pool *p)
{
	struct pool_block *block = p->free;

	p->free = block->next;
	p->kept--;
	free_memory(block, p->size);
}

void
pool_fini(struct pool *p)
{
	while (p->free != NULL)
		free_spare(p);
}

void *
pool_lease(struct pool *p)
{
	struct pool_block *block = p->free;

	if (block != NULL) {
		p->free = block->next;
		p->kept--;
	} else if ((block = get_memory(p->size)) == NULL) {
		return NULL;
	}
	if (++p->leased > p->peak)
		p->peak = p->leased;
	return block;
}

void
pool_return(struct pool *p, void *block)
{
	struct pool_block *b = block;

	if (b == NULL)
		return;
	p->leased--;
	b->next = p->free;
	p->free = b;
	p->kept++;
}

void
pool_trim(struct pool *p)
{
	while (p->kept > 0 && p->kept + p->leased > p->peak + p->spare)
		free_spare(p);
	p->peak = p->leased;
}
