/*
 * Before a gateway starts, the schema of its database must be the one this binary was built with.
 *
 * A process of its own looks, with the rights the workers will have (they decide whom the database
 * lets in) and for at most the configured timeout. A database that can't be reached forbids
 * nothing: the workers look for themselves as soon as it is there.
 */
#ifndef GATEWAY_SCHEMA_H
#define GATEWAY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/conf/config.h"
#include "gateway/privilege.h"

enum schema_verdict {
	SCHEMA_FINE,		/* or there is no database section */
	SCHEMA_UNSEEN,		/* the database could not be asked; `why` says why */
	SCHEMA_WRONG,		/* too old or too new, and `why` says so */
};

enum schema_verdict schema_check(const struct config *conf, const struct privilege *privilege,
    char *why, size_t why_size);

#endif
