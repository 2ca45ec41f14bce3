#include "gateway/cli/token.h"

#include <stdio.h>

#include "gateway/cli/store.h"

/*
 * gatehouse token revoke|list|inspect. Arguments of a command show in the list of processes, so a
 * token is better given on standard input or in a file.
 */

#define LIMIT_MAX	100000

/*
 * The newest tokens of a client ($1), so many ($2), and of which tokens they came; our iss is $3.
 * Those that are revoked by a jti are marked. An ancestor that had none is told by its identity.
 */
static const char list[] =
    "WITH listed AS (SELECT t.id, l.client_id, coalesce(t.subject, l.client_id) AS subject, "
    "t.digest, t.scope, t.issued_at, t.expires_at, t.claims::json -> 'lineage' AS lineage "
    "FROM tokens t LEFT JOIN clients l ON l.id = t.client WHERE t.expires_at > now() AND "
    "($1::text IS NULL OR t.client = (SELECT id FROM clients WHERE client_id = $1)) "
    "ORDER BY t.id DESC LIMIT $2::bigint), "
    "ancestors AS (SELECT t.id, a.n, a.one ->> 'jti' AS jti, "
    "a.one ->> 'identity' AS identity, "
    "coalesce(a.one ->> 'iss', $3::text) AS iss FROM listed t, "
    "json_array_elements(t.lineage) WITH ORDINALITY AS a(one, n)), "
    "lineages AS (SELECT id, json_agg(coalesce(jti, identity) ORDER BY n) AS jtis "
    "FROM ancestors GROUP BY id), "
    "gone AS (SELECT t.id FROM listed t JOIN revocations r ON r.kind = 'jti' AND "
    "r.value = t.id::text UNION "
    "SELECT a.id FROM ancestors a JOIN revocations r ON r.kind = 'jti' AND "
    "r.value = a.jti AND r.issuer = coalesce(a.iss, r.issuer) UNION "
    "SELECT a.id FROM ancestors a JOIN revocations r ON r.identity = "
    "decode(translate(a.identity, '-_', '+/') || '=', 'base64')) "
    "SELECT t.id AS jti, t.client_id, t.subject, "
    "CASE WHEN t.digest IS NULL THEN 'jwt' ELSE 'opaque' END AS format, t.scope, "
    STORE_TIME("t.issued_at") " AS issued_at, " STORE_TIME("t.expires_at") " AS expires_at, "
    "coalesce(m.jtis, '[]') AS lineage, g.id IS NOT NULL AS revoked FROM listed t "
    "LEFT JOIN lineages m ON m.id = t.id LEFT JOIN gone g ON g.id = t.id ORDER BY t.id DESC";

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
	if (store_open(&s, order)) {
		const char *values[] = { client, limit,
			s.service == NULL ? NULL : s.service->issuer };

		result = store_ask(&s, list, 3, values);
	}
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
		    "--kid K | --session SID [--issuer NAME] [--until SECONDS]",
		    "Revokes one token, or all that a subject or a client has up to now, or all of "
		    "a key\n      or a session (sid).\n"
		    "      - reads the token from standard input: no list of processes shows it.\n"
		    "      --issuer: the name of its section, if it is not \"self\".\n"
		    "      --until: for how long it is remembered, if that can't be known.",
		    token_revoke },
		{ "list", "[--client C] [--limit N]",
		    "Lists living tokens, the newest first, with the subject of each and the "
		    "tokens it\n      was exchanged from.", token_list },
		{ "inspect", "TOKEN | - | --token-file FILE",
		    "Tells what a token says, without checking its signature, and what the store "
		    "knows of it.", token_inspect },
	};

	return order_run(cli, "token", verbs, sizeof(verbs) / sizeof(verbs[0]));
}
