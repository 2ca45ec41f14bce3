#include "upstream/upstream.h"

/* The server with the fewest exchanges under way, over all workers; ties go round. */
size_t
policy_least_connections(struct upstream *u, upstream_set candidates, uint64_t key)
{
	size_t best = u->n_servers;
	uint64_t least = 0;

	(void)key;
	u->turn++;
	for (size_t step = 0; step < u->n_servers; step++) {
		size_t i = (u->turn + step) % u->n_servers;

		if (!(candidates >> i & 1))
			continue;
		const struct board_slot *slot = u->servers[i].board;
		uint64_t load = slot == NULL ? 0 : board_load(slot);
		if (best == u->n_servers || load < least) {
			best = i;
			least = load;
		}
	}
	return best;
}
