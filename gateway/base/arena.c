#include "gateway/base/arena.h"

#include <stdint.h>
#include <stdlib.h>

struct arena_chunk {
	struct arena_chunk	*next;
	size_t			 size;
	_Alignas(16) char	 bytes[];
};

#define CHUNK_SIZE	((size_t)16384)

void
arena_init(struct arena *a, void *first, size_t first_size, size_t limit)
{
	size_t skip = -(uintptr_t)first % 16;

	if (first_size <= skip)
		first = NULL;
	a->first = first == NULL ? NULL : (char *)first + skip;
	a->first_size = first == NULL ? 0 : first_size - skip;
	a->limit = limit;
	a->more = NULL;
	a->cleanups = NULL;
	arena_reset(a);
}

static void *
grow(struct arena *a, size_t n)
{
	size_t size = n > CHUNK_SIZE / 2 ? n : CHUNK_SIZE;

	if (size > a->limit - a->taken)
		return NULL;
	struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);
	if (chunk == NULL)
		return NULL;
	*chunk = (struct arena_chunk){ .next = a->more, .size = size };
	a->more = chunk;
	a->taken += size;
	if (n > CHUNK_SIZE / 2)
		return chunk->bytes;	/* of its own; the current chunk goes on */
	a->at = chunk->bytes + n;
	a->end = chunk->bytes + size;
	return chunk->bytes;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + 15) & ~(size_t)15;
	if (n > (size_t)(a->end - a->at))
		return grow(a, n);
	void *p = a->at;
	a->at += n;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	return p == NULL ? NULL : memset(p, 0, n);
}

struct span
arena_copy(struct arena *a, struct span s)
{
	char *p = s.n == 0 ? NULL : arena_alloc(a, s.n);

	if (p == NULL)
		return (struct span){ NULL, 0 };
	memcpy(p, s.p, s.n);
	return span_make(p, s.n);
}

void
arena_defer(struct arena *a, struct arena_cleanup *c, void (*run)(void *), void *argument)
{
	*c = (struct arena_cleanup){ run, argument, a->cleanups };
	a->cleanups = c;
}

void
arena_reset(struct arena *a)
{
	while (a->cleanups != NULL) {
		struct arena_cleanup *c = a->cleanups;

		a->cleanups = c->next;
		c->run(c->argument);
	}
	while (a->more != NULL) {
		struct arena_chunk *chunk = a->more;

		a->more = chunk->next;
		free(chunk);
	}
	a->taken = 0;
	a->at = a->first;
	a->end = a->first == NULL ? NULL : a->first + a->first_size;
}
