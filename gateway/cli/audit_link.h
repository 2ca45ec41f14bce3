/*
 * The way to the server under audit: a fresh connection for every request, which is sent as the
 * very bytes given, and whatever comes back. It blocks, but never longer than its time; for
 * commands only.
 */
#ifndef GATEWAY_CLI_AUDIT_LINK_H
#define GATEWAY_CLI_AUDIT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/cli/audit_answer.h"
#include "gateway/http/resolve.h"
#include "gateway/http/stream.h"
#include "gateway/http/url.h"

struct audit_link {
	const struct url	*url;
	uint64_t		 timeout_ms;	/* for a whole exchange */
	struct resolve_answer	 addresses;
	struct stream_trust	 trust;		/* context NULL: plain */
};

/*
 * Finds the server's addresses, and makes TLS ready where the URL wants it: with the trust anchors
 * of `ca_file` (NULL: the system's), or, insecure, with whoever answers. NULL, or a sentence that
 * says what is wrong. The URL must outlive it.
 */
const char *link_open(struct audit_link *l, const struct url *url, const char *ca_file,
    bool insecure, uint64_t timeout_ms);
/*
 * Sends the bytes on a connection of their own, and `second`, if any, on the same one when the
 * first answer is there; answer_begin() has said what for.
 */
void link_exchange(struct audit_link *l, struct span request, struct span second,
    struct audit_answer *answer);
/* Lets go of it; safe on a zeroed one. */
void link_close(struct audit_link *l);

#endif
