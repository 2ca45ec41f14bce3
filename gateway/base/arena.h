/*
 * An arena holds all memory of one request: allocated piece by piece, let go at once.
 *
 * Clean-ups are registered as they become necessary and run in reverse at arena_reset(), so a
 * hang-up, a refusal and a normal end leave by the same door. The first chunk stays across
 * resets: a request that fits in it allocates nothing from the heap.
 */
#ifndef GATEWAY_BASE_ARENA_H
#define GATEWAY_BASE_ARENA_H

#include <stddef.h>

#include "gateway/base/span.h"

struct arena_cleanup {
	void			(*run)(void *);
	void			 *argument;
	struct arena_cleanup	 *next;
};

struct arena_chunk;

struct arena {
	char			*at;		/* free memory of the current chunk */
	char			*end;
	char			*first;		/* the chunk that stays */
	size_t			 first_size;
	struct arena_chunk	*more;		/* chunks from the heap, newest first */
	struct arena_cleanup	*cleanups;
	size_t			 taken;		/* bytes of the heap */
	size_t			 limit;		/* most bytes of the heap */
};

/*
 * Makes an arena over `first`, memory the caller keeps (or none); at most `limit` bytes more from
 * the heap.
 */
void arena_init(struct arena *a, void *first, size_t first_size, size_t limit);
/* n bytes, aligned to 16, not zeroed; NULL when the limit or the heap is reached. */
void *arena_alloc(struct arena *a, size_t n);
/* The same, zeroed. */
void *arena_zalloc(struct arena *a, size_t n);
/* A copy of the bytes; {NULL, 0} when there is no memory (and for an empty span). */
struct span arena_copy(struct arena *a, struct span s);
/* Registers a clean-up; the struct is the caller's and must live as long as the arena's memory. */
void arena_defer(struct arena *a, struct arena_cleanup *c, void (*run)(void *), void *argument);
/* Runs the clean-ups, newest first, and forgets all memory but the first chunk. */
void arena_reset(struct arena *a);

#endif
