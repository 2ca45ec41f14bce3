#include "gateway/cli/token.h"

#include <stdio.h>

#include "gateway/cli/store.h"

/*
 * gatehouse token revoke|list|inspect. Arguments of a command show in the list of processes, so a
 * token is better given on standard input or in a file.
 */

#define LIMIT_MAX	100000

int
token_list(const struct order *order)
{
	const char *client = NULL, *limit = "100";
	const struct argument arguments[] = { { "--client", &client, false },
		{ "--limit", &limit, false } };
	PGresult *result = NULL;
	struct store s;
	uint64_t number;

	if (!order_read(order, arguments, 2))
		return CLI_USAGE;
	if (!span_to_u64(span_of(limit), &number) || number == 0 || number > LIMIT_MAX)
		return order_wrong(order, "--limit: \"%s\" is not accepted (accepted: 1 to %d)",
		    limit, LIMIT_MAX);
	const char *values[] = { client, limit };
	if (store_open(&s, order))
		result = store_ask(&s, "SELECT t.id AS jti, l.client_id, "
		    "CASE WHEN t.digest IS NULL THEN 'jwt' ELSE 'opaque' END AS format, t.scope, "
		    STORE_TIME("t.issued_at") " AS issued_at, "
		    STORE_TIME("t.expires_at") " AS expires_at, EXISTS (SELECT FROM revocations r "
		    "WHERE r.kind = 'jti' AND r.value = t.id::text) AS revoked "
		    "FROM tokens t LEFT JOIN clients l ON l.id = t.client "
		    "WHERE t.expires_at > now() AND ($1::text IS NULL OR t.client = "
		    "(SELECT id FROM clients WHERE client_id = $1)) "
		    "ORDER BY t.id DESC LIMIT $2::bigint", 2, values);
	if (result != NULL)
		store_show_list(&s, result, "there are no tokens");
	int status = result != NULL ? CLI_DONE : CLI_FAILED;
	PQclear(result);
	store_close(&s);
	return status;
}

int
cli_token(const struct cli *cli)
{
	static const struct verb verbs[] = {
		{ "revoke", "TOKEN | - | --token-file FILE | --jti J | --subject S | --client C | "
		    "--kid K [--issuer NAME] [--until SECONDS]",
		    "Revokes one token, or all that a subject, a client or a key has up to now.\n"
		    "      - reads the token from standard input: no list of processes shows it.\n"
		    "      --issuer: the name of its section, if it is not \"self\".\n"
		    "      --until: for how long it is remembered, if that can't be known.",
		    token_revoke },
		{ "list", "[--client C] [--limit N]", "Lists living tokens, the newest first.",
		    token_list },
		{ "inspect", "TOKEN | - | --token-file FILE",
		    "Tells what a token says, without checking its signature, and what the store "
		    "knows of it.", token_inspect },
	};

	return order_run(cli, "token", verbs, sizeof(verbs) / sizeof(verbs[0]));
}
