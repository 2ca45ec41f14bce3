/*
 * The probes, one row each in audit_probe.def: what is sent, and how to tell whether it got
 * through.
 */
#ifndef GATEWAY_CLI_AUDIT_PROBE_H
#define GATEWAY_CLI_AUDIT_PROBE_H

#include "gateway/cli/audit.h"

/* How an answer is judged. */
enum audit_judge {
	JUDGE_THROUGH,		/* got through if its class is the baseline's */
	JUDGE_PATH,		/* the same, unless any path at all is open */
	JUDGE_PREFLIGHT,	/* the same, but it can't be told whether that is right */
	JUDGE_ANY,		/* the same of each answer on the connection */
	JUDGE_SECOND,		/* the same of the second answer */
	JUDGE_SEEN,		/* wrong if the backend saw the marker */
	JUDGE_KEPT,		/* wrong if the backend was not told who calls */
};

struct audit_probe {
	const char	*group;
	const char	*name;
	const char	*sent;		/* for people, without the token */
	/* Writes the request into a->request; false if that can't be done, a->why says why. */
	bool		(*make)(struct audit *a, const struct audit_probe *p);
	forge_maker	*forge;		/* of the token to send; NULL: the good one, if any */
	const char	*argument;	/* of forge, or else of make */
	bool		 jwt;		/* means nothing for an opaque token */
	enum audit_judge judge;
};

extern const struct audit_probe audit_probes[];
extern const size_t audit_n_probes;

/* The parts of a request; what is left out is as the command line has it. */
struct audit_head {
	const char	*method;
	struct span	 target;
	const char	*version;
	struct span	 token;		/* in an Authorization header; empty: none */
	const char	*lines;		/* more headers, whole lines; NULL: none */
	const char	*connection;	/* NULL: close */
	struct span	 content;	/* after the head */
	bool		 framed;	/* `lines` tell where it ends, else we do */
};

/* Writes a request after what a->request holds already; false if it doesn't fit. */
bool audit_put(struct audit *a, const struct audit_head *head);

/* The makers that audit_probe.def names. */
typedef bool audit_maker(struct audit *a, const struct audit_probe *p);
audit_maker make_good;		/* the good token, as it should be */
audit_maker make_bare;		/* no token; argument: headers more */
audit_maker make_token;		/* a forged one */
audit_maker make_authorization;	/* a value: "%" stands for a token with a wrong signature */
audit_maker make_several;	/* lines or values, "g" good and "b" bad, "," in one line */
audit_maker make_query;		/* the token as this parameter of the query */
audit_maker make_form;		/* the same in a form's body */
audit_maker make_identity;	/* the good token, and this header with the marker */
audit_maker make_identity_hop;	/* the same, and Connection names the header */
audit_maker make_hop;		/* the good token; Connection names all identity headers */
audit_maker make_identities;	/* no token, and all identity headers */
audit_maker make_path;		/* no token; "@" is the path */
audit_maker make_path_upper;	/* in upper case */
audit_maker make_path_escaped;	/* its first letter escaped, with this before the digits */
audit_maker make_path_slash;	/* its last slash as this */
audit_maker make_absolute;	/* an absolute target with this host, NULL: the right one */
audit_maker make_method;	/* another method; NULL: the same in lower case */
audit_maker make_connect;	/* CONNECT to where the URL leads */
audit_maker make_version;	/* another version of HTTP */
audit_maker make_simple;	/* a request of HTTP/0.9 */
audit_maker make_framing;	/* framing with a second request in the body; "%" is its length */
audit_maker make_bare_lf;	/* lines that end with LF alone */
audit_maker make_second;	/* the good token, and then no token on the same connection */

#endif
