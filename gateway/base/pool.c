#include "gateway/base/pool.h"

#include <stdlib.h>

struct pool_block {
	struct pool_block	*next;
};

void
pool_init(struct pool *p, size_t size, unsigned most_kept)
{
	*p = (struct pool){ .size = (size + 15) & ~(size_t)15, .most = most_kept };
}

void
pool_fini(struct pool *p)
{
	while (p->free != NULL) {
		struct pool_block *block = p->free;

		p->free = block->next;
		free(block);
	}
	p->kept = 0;
}

void *
pool_lease(struct pool *p)
{
	struct pool_block *block = p->free;

	if (block != NULL) {
		p->free = block->next;
		p->kept--;
	} else if ((block = malloc(p->size)) == NULL) {
		return NULL;
	}
	p->leased++;
	return block;
}

void
pool_return(struct pool *p, void *block)
{
	struct pool_block *b = block;

	if (b == NULL)
		return;
	p->leased--;
	if (p->kept == p->most) {
		free(b);
		return;
	}
	b->next = p->free;
	p->free = b;
	p->kept++;
}
