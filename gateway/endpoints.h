/*
 * What the gateway answers by itself: the endpoints of the token service, one table of them, the
 * metadata of protected resources, and where issuers tell of logouts. Where they are, which methods
 * they take, and the flow that serves each; the paths follow from the configuration.
 */
#ifndef GATEWAY_ENDPOINTS_H
#define GATEWAY_ENDPOINTS_H

#include <stdbool.h>

#include "gateway/conf/config.h"
#include "gateway/request/gate.h"

struct endpoints {
	struct endpoint	*list;
	size_t		 n;
};

/* Makes the endpoints of a configuration; there may be none. False without memory. */
bool endpoints_open(struct endpoints *e, const struct config *config);
/* Frees them, when no request is at one any more. Safe if there are none. */
void endpoints_close(struct endpoints *e);

#endif
