/*
 * An audit of a gateway from outside: what a tester would send to its URL is sent, and what got
 * through is told. `gatehouse audit` needs no configuration and no Gatehouse at the other end.
 *
 * An answer of the same class as the good token's own (2xx or 3xx) means that a request got
 * through; whatever else came means that it was refused. Nothing but the method that the command
 * line names is sent, and methods that change nothing.
 */
#ifndef GATEWAY_CLI_AUDIT_H
#define GATEWAY_CLI_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/text.h"
#include "gateway/cli/audit_answer.h"
#include "gateway/cli/audit_forge.h"
#include "gateway/cli/audit_keys.h"
#include "gateway/cli/audit_link.h"
#include "gateway/http/url.h"

#define AUDIT_MARKER		24
#define AUDIT_REQUEST_MAX	(FORGE_MAX + 64 * 1024)
#define AUDIT_HEADERS_MAX	8192

/* What the command line says. */
struct audit_wish {
	struct url	 url;
	const char	*method;
	char		 headers[AUDIT_HEADERS_MAX];	/* whole lines, for every request */
	bool		 has_host;			/* Host is among them */
	const char	*token_file;
	const char	*expired_file;
	const char	*jwks;
	const char	*ca_file;
	bool		 insecure;
	uint64_t	 timeout_ms;
	bool		 json;
};

/* Headers that tell a backend who calls, in the order of their bits. */
#define AUDIT_IDENTITIES	7
extern const char *const audit_identity[AUDIT_IDENTITIES];

/* What is known of the other side before the first probe. */
struct audit_baseline {
	unsigned	 status;	/* what the good token gets */
	bool		 echoes;	/* the answer shows what headers the backend got */
	unsigned	 identities;	/* bits of the identity headers it shows */
	bool		 open_elsewhere;	/* any path answers, without a token */
	unsigned	 nobody;	/* what a request without a token gets; 0: no status */
	struct span	 body;		/* of the good token's answer */
};

struct audit {
	const struct audit_wish	*wish;
	struct span		 path;		/* of the URL, and its query with the "?" */
	struct span		 query;
	struct forge		 forge;
	struct audit_keys	 keys;
	struct audit_link	 link;
	struct audit_answer	 answer;	/* to the last request */
	struct audit_baseline	 baseline;
	char			 marker[AUDIT_MARKER + 1];	/* a value nobody else sends */
	struct text		 request;	/* the last one, or the last two */
	size_t			 first;		/* of two: its bytes; 0: it is one */
	struct text		 forged;	/* the token in it */
	char			*body;		/* memory of baseline.body */
	bool			 limited;	/* waiting for a rate limit was in vain */
	const char		*why;		/* a probe could not be made */
};

/* Runs the whole audit and reports; returns the exit status. */
int audit_run(const struct audit_wish *wish, struct span token, struct span expired);

#endif
