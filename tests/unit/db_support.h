/*
 * A PostgreSQL of a test's own: a fresh cluster in a temporary folder, migrated, on a Unix socket
 * alone. One program starts it once; where the server is not installed, nothing is tested.
 */
#ifndef TESTS_UNIT_DB_SUPPORT_H
#define TESTS_UNIT_DB_SUPPORT_H

#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/conf/config.h"
#include "gateway/db/migration.h"
#include "tests/unit/loop_support.h"

static char db_folder[64], db_data[80], db_programs[128];
static pid_t db_server;
static const char *db_keywords[] = { "host", "port", "user", "dbname",
	"fallback_application_name", NULL };
static const char *db_values[] = { db_folder, "5432", "postgres", "postgres", "gatehouse", NULL };
static struct config_database db_config = { .keywords = db_keywords, .values = db_values,
	.connections = 3, .workers = 1, .timeout_ms = 1000 };

/* Runs a program of the server's as who may run it; the process id. */
static inline pid_t
db_spawn(const char *program, char *const *argv)
{
	const struct passwd *who = geteuid() == 0 ? getpwnam("postgres") : NULL;
	char path[200];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (who != NULL && (setgroups(0, NULL) != 0 || setgid(who->pw_gid) != 0 ||
	    setuid(who->pw_uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
		_exit(126);
	snprintf(path, sizeof(path), "%s/%s", db_programs, program);
	execv(path, argv);
	_exit(127);
}

/* A connection that has another name than those under test. */
static inline PGconn *
db_connect(void)
{
	char text[120];

	snprintf(text, sizeof(text), "host=%s user=postgres dbname=postgres", db_folder);
	return PQconnectdb(text);
}

/* Starts the server and waits until it answers. */
static inline void
db_start(void)
{
	char *const argv[] = { "postgres", "-D", db_data, "-k", db_folder, "-c",
		"listen_addresses=", "-c", "fsync=off", NULL };

	db_server = db_spawn("postgres", argv);
	for (int i = 0; i < 500; i++) {
		PGconn *conn = db_connect();
		bool up = PQstatus(conn) == CONNECTION_OK;

		PQfinish(conn);
		if (up)
			return;
		usleep(10000);
	}
	fprintf(stderr, "the server does not start\n");
	abort();
}

static inline void
db_stop(int how)
{
	kill(db_server, how);
	waitpid(db_server, NULL, 0);
}

/* Runs statements on a connection of their own; the first value as a number, 0 without one. */
static inline long
db_execute(const char *statements)
{
	PGconn *conn = db_connect();
	PGresult *result = PQexec(conn, statements);
	long value = 0;

	if (PQresultStatus(result) != PGRES_COMMAND_OK &&
	    PQresultStatus(result) != PGRES_TUPLES_OK) {
		fprintf(stderr, "%s: %s", statements, PQerrorMessage(conn));
		abort();
	}
	if (PQntuples(result) > 0 && PQnfields(result) > 0)
		value = strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	PQfinish(conn);
	return value;
}

static inline void
db_migrate(void)
{
	db_execute("CREATE TABLE schema_migrations (version integer)");
	for (unsigned i = 0; i < migration_n; i++) {
		char record[80];

		db_execute(migration_table[i].text);
		snprintf(record, sizeof(record), "INSERT INTO schema_migrations VALUES (%u)",
		    migration_table[i].version);
		db_execute(record);
	}
}

/* False if there is no PostgreSQL on this machine. */
static inline bool
db_make(void)
{
	char *const argv[] = { "initdb", "-D", db_data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync", NULL };
	glob_t found;
	int status;

	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
		return false;
	snprintf(db_programs, sizeof(db_programs), "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	strcpy(db_folder, "/tmp/gatehouse-db-XXXXXX");
	if (mkdtemp(db_folder) == NULL || chmod(db_folder, 0777) != 0 || chdir("/") != 0)
		return false;
	snprintf(db_data, sizeof(db_data), "%s/data", db_folder);
	if (waitpid(db_spawn("initdb", argv), &status, 0) < 0 || status != 0)
		return false;
	db_start();
	db_migrate();
	return true;
}

static inline void
db_remove(void)
{
	char command[120];

	db_stop(SIGQUIT);
	snprintf(command, sizeof(command), "rm -rf %s", db_folder);
	if (system(command) != 0)
		fprintf(stderr, "%s failed\n", command);
}

#endif
