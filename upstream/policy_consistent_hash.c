#include "shm/hash.h"
#include "upstream/upstream.h"

/*
 * Rendezvous hashing (Thaler and Ravishankar, 1998): each server gets a number made of the key
 * and its own id, the highest wins. When a server goes, only its own keys move.
 */
size_t
policy_consistent_hash(struct upstream *u, upstream_set candidates, uint64_t key)
{
	size_t best = u->n_servers;
	uint64_t highest = 0;

	for (size_t i = 0; i < u->n_servers; i++) {
		if (!(candidates >> i & 1))
			continue;
		uint64_t weight = hash_mix64(key ^ u->servers[i].config->id);
		if (best == u->n_servers || weight > highest) {
			best = i;
			highest = weight;
		}
	}
	return best;
}
