/*
 * The steps of the token service's endpoints, in the order of their flows (gateway/flow_table.c and
 * grant.def), and what they tell each other.
 *
 * A step does its one thing and answers NEXT, WAIT or END; a refusal names its row of fault.def.
 */
#ifndef GATEWAY_OAUTH_OAUTH_H
#define GATEWAY_OAUTH_OAUTH_H

#include "gateway/oauth/client_book.h"
#include "gateway/oauth/form.h"
#include "gateway/request/step.h"

struct assertion;
struct ending;
struct exchange;
struct grant;
struct issue;
struct reuse;
struct rotation;
struct revoked;
struct refresh_search;

/* How a client proves who it is (RFC 6749 section 2.3, RFC 7523). */
enum client_method {
	CLIENT_NONE,
	CLIENT_BASIC,
	CLIENT_POST,
	CLIENT_ASSERTION,
};

/* What a request at an endpoint has come to so far; in its arena. */
struct oauth {
	struct form		 form;
	struct text		 body;		/* of the form, as it comes */
	enum client_method	 method;
	struct span		 client_id;	/* claimed */
	struct span		 secret;
	struct assertion	*assertion;
	struct book_search	 search;
	struct arena_cleanup	 cleanup;
	struct oauth_client	*client;	/* authenticated; held until the request ends */
	const struct grant	*grant;
	struct span		 scope;		/* of the token: sorted words, one space between */
	struct span		*audiences;	/* of the token; at least one */
	size_t			 n_audiences;
	struct span		 audience;	/* the same as a JSON array */
	/* of the token, where it is not simply the client's; zero otherwise */
	struct span		 subject;	/* sub */
	struct span		 members;	/* further claims, each after a comma */
	struct span		 claims;	/* the same as an object */
	int64_t			 ends_s;	/* it lives no longer than until then */
	bool			 as_jwt;	/* whatever the format of the client's tokens */
	struct span		 issued_type;	/* issued_token_type of the answer */
	struct exchange		*exchange;
	struct reuse		*reuse;
	struct issue		*issue;
	struct rotation		*rotation;
	struct refresh_search	*refresh;	/* what a refresh token stands for */
	bool			 looked_again;	/* after another was quicker to use it */
	struct revoked		*revoked;
	struct ending		*ending;	/* of logout.c */
};

/* Reads the form in the body; refuses all that could be read in two ways. */
step_function read_form;
/* Finds out which client asks: exactly one method, and a limit on failures. */
step_function authenticate_client;
/* Goes on with the flow of the grant that is asked for, if the client may use it. */
step_function choose_grant;
/* Settles the scope: what is asked for and the client has, else all that the client has. */
step_function settle_scope;
/* Settles the audience: what is asked for and the client may reach, else as configured. */
step_function settle_target;
/* The same for a token that comes of a refresh token: within what that one was given. */
step_function settle_again;
/* Answers with a token that was issued before and lives long enough, or waits for one. */
step_function reuse_token;
/* Holds the consumer to its rate of new tokens. */
step_function limit_tokens;
/* Makes a token, has it committed, and answers with it. */
step_function issue_token;
/* Finds what a refresh token stands for, and whether it may be used. */
step_function find_refresh_token;
/* Exchanges the refresh token for the next one and an access token. */
step_function rotate_token;
/* Reads what is to be exchanged, and puts the subject token in the place of the request's token. */
step_function read_exchange;
/* Takes the subject token as it was judged, and puts the actor token in its place, if any. */
step_function take_subject;
/* Takes the actor token as it was judged. */
step_function take_actor;
/* Settles what comes of the subject token: scope, end of life, who acts, lineage. */
step_function settle_exchange;
/* Makes the new token, has it committed if it is recorded, and answers with it. */
step_function issue_exchanged;
/* Takes the token that introspection and revocation are about from the form. */
step_function take_token;
/* Says what is known of the token (RFC 7662). */
step_function describe_token;
/* Revokes the token (RFC 7009). */
step_function revoke_token;
/* Verifies the logout token in the form. */
step_function verify_logout;
/* Revokes the session or the subject that it names. */
step_function revoke_logout;

/*
 * Settles the scope of a token that comes of another: what is asked for, else all, of this scope
 * and within the client's, if it has one. It is part of a step.
 */
enum step_result settle_scope_within(struct request *r, struct span scope);

#endif
