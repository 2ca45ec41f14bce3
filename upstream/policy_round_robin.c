#include "upstream/upstream.h"

size_t
policy_round_robin(struct upstream *u, upstream_set candidates, uint64_t key)
{
	(void)key;
	for (;;) {
		size_t i = u->turn++ % u->n_servers;

		if (candidates >> i & 1)
			return i;
	}
}
