#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/cli/cli.h"
#include "gateway/db/direct.h"
#include "gateway/db/migration.h"

/*
 * gatehouse migrate [status]: brings the schema of the database to that of this binary. Each step
 * is one transaction, which also records it; an advisory lock lets one migrate at a time.
 */

#define MIGRATE_LOCK	"7236002"
#define WHY_SIZE	512
#define STEPS_MAX	256
#define CHECKSUM_LEN	(2 * SHA256_DIGEST_LENGTH)

/* What the database says of one step. */
struct applied {
	bool	is;
	char	at[40];		/* when, ISO 8601 */
};

static const char record[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now())";

static int
fail(PGconn *conn, PGresult *result, const char *what)
{
	char why[WHY_SIZE];

	direct_why(conn, result, why, sizeof(why));
	PQclear(result);
	fprintf(stderr, "%s: %s\n", what, why);
	return CLI_FAILED;
}

/* Runs statements without a result; false after telling what is wrong. */
static bool
execute(PGconn *conn, const char *statements, const char *what)
{
	PGresult *result = PQexec(conn, statements);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		fail(conn, result, what);
		return false;
	}
	PQclear(result);
	return true;
}

static void
checksum(const struct migration *m, char out[CHECKSUM_LEN + 1])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)m->text, strlen(m->text), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* Compares one recorded step with ours; false after telling how they differ. */
static bool
compare(const char *version, const char *name, const char *sum, unsigned *at)
{
	char ours[CHECKSUM_LEN + 1];

	for (*at = 0; *at < migration_n; (*at)++) {
		char number[16];

		snprintf(number, sizeof(number), "%u", migration_table[*at].version);
		if (strcmp(number, version) == 0)
			break;
	}
	if (*at == migration_n) {
		fprintf(stderr, "the database has migration %s, which this gatehouse does not "
		    "know: it was migrated by a newer one\n", name);
		return false;
	}
	checksum(&migration_table[*at], ours);
	if (strcmp(ours, sum) == 0)
		return true;
	fprintf(stderr, "migration %s has another text in the database than in this gatehouse: "
	    "what was applied must not be changed\n", name);
	return false;
}

/* What is applied. False after telling why that can't be said, or is not as it should be. */
static bool
read_applied(PGconn *conn, struct applied *applied)
{
	PGresult *result = PQexec(conn, "SELECT to_regclass('schema_migrations') IS NOT NULL");
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK, some;

	some = good && PQgetvalue(result, 0, 0)[0] == 't';
	if (some) {
		PQclear(result);
		result = PQexec(conn, "SELECT version, name, checksum, to_char(applied_at AT TIME "
		    "ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM schema_migrations "
		    "ORDER BY version");
		good = PQresultStatus(result) == PGRES_TUPLES_OK;
	}
	if (!good) {
		fail(conn, result, "the migrations of the database can't be read");
		return false;
	}
	for (int i = 0; some && good && i < PQntuples(result); i++) {
		unsigned at;

		good = compare(PQgetvalue(result, i, 0), PQgetvalue(result, i, 1),
		    PQgetvalue(result, i, 2), &at);
		if (!good)
			break;
		applied[at].is = true;
		snprintf(applied[at].at, sizeof(applied[at].at), "%s", PQgetvalue(result, i, 3));
	}
	PQclear(result);
	return good;
}

static bool
record_step(PGconn *conn, const struct migration *m)
{
	char version[16], sum[CHECKSUM_LEN + 1];
	const char *values[] = { version, m->name, sum };

	snprintf(version, sizeof(version), "%u", m->version);
	checksum(m, sum);
	PGresult *result = PQexecParams(conn, "INSERT INTO schema_migrations (version, name, "
	    "checksum) VALUES ($1, $2, $3)", 3, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		fail(conn, result, m->name);
		return false;
	}
	PQclear(result);
	return true;
}

static int
migrate(const struct cli *cli, PGconn *conn)
{
	struct applied applied[STEPS_MAX] = { 0 };
	unsigned n = 0;

	if (!execute(conn, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")", "cannot lock the schema") ||
	    !execute(conn, record, "cannot make the table schema_migrations") ||
	    !read_applied(conn, applied))
		return CLI_FAILED;
	for (unsigned i = 0; i < migration_n; i++) {
		const struct migration *m = &migration_table[i];

		if (applied[i].is)
			continue;
		if (!execute(conn, "BEGIN", m->name) || !execute(conn, m->text, m->name) ||
		    !record_step(conn, m) || !execute(conn, "COMMIT", m->name))
			return CLI_FAILED;
		if (!cli->json)
			printf("applied %s\n", m->name);
		n++;
	}
	if (cli->json)
		printf("{\"version\": %u, \"applied\": %u}\n",
		    migration_table[migration_n - 1].version, n);
	else if (n == 0)
		printf("the schema is up to date\n");
	return CLI_DONE;
}

static void
print_step(const struct cli *cli, unsigned i, const struct applied *applied)
{
	const struct migration *m = &migration_table[i];

	if (!cli->json) {
		printf("%-32s  %s\n", m->name, applied->is ? applied->at : "not applied");
		return;
	}
	printf("%s{\"version\": %u, \"name\": \"%s\", \"applied_at\": ", i == 0 ? "" : ", ",
	    m->version, m->name);
	printf(applied->is ? "\"%s\"}" : "null}", applied->at);
}

/* The status; exit status 1 if something has not been applied. */
static int
tell(const struct cli *cli, PGconn *conn)
{
	struct applied applied[STEPS_MAX] = { 0 };
	bool current = true;

	if (!read_applied(conn, applied))
		return CLI_FAILED;
	for (unsigned i = 0; i < migration_n; i++)
		current = current && applied[i].is;
	if (cli->json)
		printf("{\"current\": %s, \"migrations\": [", current ? "true" : "false");
	for (unsigned i = 0; i < migration_n; i++)
		print_step(cli, i, &applied[i]);
	if (cli->json)
		printf("]}\n");
	else if (!current)
		printf("run `gatehouse migrate` to apply what is missing\n");
	return current ? CLI_DONE : CLI_FAILED;
}

int
cli_migrate(const struct cli *cli)
{
	char **more = cli->arguments;
	bool status = more[0] != NULL && strcmp(more[0], "status") == 0;
	char error[WHY_SIZE * 2];
	PGconn *conn;
	int exit_status = CLI_FAILED;

	must(migration_n > 0 && migration_n <= STEPS_MAX);
	if (more[status] != NULL)
		return cli_wrong("migrate takes nothing, or status, but not ", more[status]);
	struct config *config = cli_load(cli, false);
	if (config == NULL)
		return CLI_FAILED;
	if (config->database == NULL) {
		fprintf(stderr, "%s has no database section with a url\n", config->path);
	} else if ((conn = direct_open(config->database, 0, error, sizeof(error))) == NULL) {
		fprintf(stderr, "%s\n", error);
	} else {
		exit_status = status ? tell(cli, conn) : migrate(cli, conn);
		PQfinish(conn);
	}
	config_free(&config);
	return exit_status;
}
