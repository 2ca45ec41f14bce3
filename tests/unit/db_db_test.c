/*
 * Queries, batches and notices on a real PostgreSQL, which is broken in all the ways it breaks.
 */
#include "gateway/db/db.h"

#include "gateway/db/batch.h"
#include "tests/unit/db_support.h"

static struct db *db;
static struct task waker;
static unsigned wakes;

static void
count_wake(struct loop *l, struct task *task)
{
	(void)task;
	wakes++;
	loop_stop(l);
}

static void
set_up(void)
{
	loop_set_up();
	task_init(&waker, count_wake);
	wakes = 0;
	db = db_open(loop, &db_config, NULL, 0);
	ck_assert_ptr_nonnull(db);
}

static void
tear_down(void)
{
	db_close(&db);
	loop_tear_down();
}

static void
wait_until_up(void)
{
	for (int i = 0; i < 1000 && !db_is_up(db); i++)
		turn_for(10);
	ck_assert(db_is_up(db));
}

/* Turns until the query has an outcome. */
static enum db_outcome
finish(struct db_query *q)
{
	enum run run;

	q->task = &waker;
	while ((run = db_run(db, q)) == RUN_WAIT)
		turn_for(5000);
	ck_assert(run == (q->outcome == DB_DONE ? RUN_DONE : RUN_FAIL));
	return q->outcome;
}

static int64_t
backend(void)
{
	return db_execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'gatehouse' "
	    "ORDER BY backend_start DESC LIMIT 1");
}

START_TEST(a_query_has_its_rows)
{
	struct db_query q = { .statement = SQL_SCHEMA_VERSION };
	int64_t version;

	set_up();
	ck_assert(finish(&q) == DB_DONE && db_rows(&q) == 1);
	ck_assert(value_i64(db_value(&q, 0, 0), &version));
	ck_assert_int_eq(version, migration_table[migration_n - 1].version);
	db_end(&q);
	db_end(&q);
	tear_down();
}
END_TEST

START_TEST(many_at_once_come_back_each)
{
	struct db_query q[300] = { 0 };
	unsigned done = 0;

	set_up();
	for (unsigned i = 0; i < 300; i++) {
		q[i] = (struct db_query){ .statement = SQL_FIND_CLIENT, .task = &waker,
			.params = { SPAN("nobody") } };
		ck_assert_int_eq(db_run(db, &q[i]), RUN_WAIT);
	}
	/* some leave before their answer has come */
	for (unsigned i = 0; i < 300; i += 7)
		db_end(&q[i]);
	for (int turns = 0; turns < 1000 && done < 257; turns++) {
		turn_for(5);
		done = 0;
		for (unsigned i = 0; i < 300; i++)
			done += q[i].outcome == DB_DONE && db_rows(&q[i]) == 0;
	}
	ck_assert_uint_eq(done, 257);
	for (unsigned i = 0; i < 300; i++)
		db_end(&q[i]);
	tear_down();
}
END_TEST

static const enum value_type columns[] = { VALUE_UUID, VALUE_BYTEA, VALUE_INT8, VALUE_TIMESTAMPTZ,
	VALUE_TIMESTAMPTZ, VALUE_TEXT, VALUE_TEXT };
static char numbers[3][8];

/* A token's row; its id is of the bytes given. */
static struct batch_row
make_row(const char id[16])
{
	value_put_i64(numbers[0], 1);
	value_put_time(numbers[1], 1700000000);
	value_put_time(numbers[2], 1700003600);
	return (struct batch_row){ .values = { span_make(id, 16), { NULL, 0 },
		span_make(numbers[0], 8), span_make(numbers[1], 8), span_make(numbers[2], 8),
		SPAN("a b"), SPAN("[\"x\"]") }, .task = &waker };
}

static void
finish_rows(struct batch *batch, struct batch_row *rows, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		while (batch_run(batch, &rows[i]) == RUN_WAIT)
			turn_for(5000);
}

START_TEST(a_batch_is_one_statement)
{
	struct batch_row rows[400];
	char ids[400][16] = { 0 };

	set_up();
	struct batch *batch = batch_new(loop, db, SQL_INSERT_TOKENS, columns, 7);
	long before = db_execute("SELECT count(*) FROM tokens");
	for (unsigned i = 0; i < 400; i++) {
		memcpy(ids[i], &i, sizeof(i));
		rows[i] = make_row(ids[i]);
		ck_assert_int_eq(batch_run(batch, &rows[i]), RUN_WAIT);
	}
	finish_rows(batch, rows, 400);
	for (unsigned i = 0; i < 400; i++)
		ck_assert_int_eq(rows[i].outcome, DB_DONE);
	ck_assert_int_eq(db_execute("SELECT count(*) FROM tokens") - before, 400);
	ck_assert_int_eq(db_execute("SELECT count(DISTINCT xmin::text) FROM tokens"), 2);
	ck_assert_int_eq(db_execute("SELECT extract(epoch FROM max(expires_at)) FROM tokens"),
	    1700003600);
	for (unsigned i = 0; i < 400; i++)
		batch_end(&rows[i]);
	batch_free(&batch);
	tear_down();
}
END_TEST

START_TEST(a_bad_row_is_no_others_loss)
{
	struct batch_row rows[5];
	char ids[5][16] = { "good one", "twice", "twice", "good two", "left" };

	set_up();
	struct batch *batch = batch_new(loop, db, SQL_INSERT_TOKENS, columns, 7);
	for (unsigned i = 0; i < 5; i++) {
		rows[i] = make_row(ids[i]);
		ck_assert_int_eq(batch_run(batch, &rows[i]), RUN_WAIT);
	}
	batch_end(&rows[4]);
	finish_rows(batch, rows, 4);
	ck_assert(rows[0].outcome == DB_DONE && rows[3].outcome == DB_DONE);
	ck_assert(rows[1].outcome == DB_DONE && rows[2].outcome == DB_REFUSED);
	ck_assert_str_eq(rows[2].sqlstate, "23505");
	for (unsigned i = 0; i < 4; i++)
		batch_end(&rows[i]);
	batch_free(&batch);
	tear_down();
}
END_TEST

START_TEST(a_lost_connection_is_uncertain_and_comes_back)
{
	struct db_query q = { .statement = SQL_INSERT_TOKENS }, again = { 0 };
	char kill_it[80];

	set_up();
	wait_until_up();
	PGconn *lock = db_connect();
	PQclear(PQexec(lock, "BEGIN; LOCK TABLE clients"));
	q = (struct db_query){ .statement = SQL_FIND_CLIENT, .params = { SPAN("x") },
		.task = &waker };
	ck_assert_int_eq(db_run(db, &q), RUN_WAIT);
	turn_for(50);
	snprintf(kill_it, sizeof(kill_it), "SELECT pg_terminate_backend(%ld)", (long)backend());
	db_execute(kill_it);
	ck_assert_int_eq(finish(&q), DB_UNCERTAIN);
	db_end(&q);
	PQfinish(lock);
	again.statement = SQL_SCHEMA_VERSION;
	ck_assert_int_eq(finish(&again), DB_DONE);
	db_end(&again);
	tear_down();
}
END_TEST

START_TEST(a_slow_statement_is_ended)
{
	struct db_query q = { .statement = SQL_FIND_CLIENT, .params = { SPAN("x") } };
	struct db_query after = { .statement = SQL_SCHEMA_VERSION };

	set_up();
	wait_until_up();
	PGconn *lock = db_connect();
	PQclear(PQexec(lock, "BEGIN; LOCK TABLE clients"));
	uint64_t begin_ms = clock_ms();
	enum db_outcome outcome = finish(&q);
	ck_assert(outcome == DB_UNCERTAIN || outcome == DB_REFUSED);
	ck_assert_uint_le(clock_ms() - begin_ms, 1400);
	ck_assert_int_eq(finish(&after), DB_DONE);
	ck_assert(db_is_up(db));
	db_end(&q);
	db_end(&after);
	PQfinish(lock);
	tear_down();
}
END_TEST

START_TEST(a_server_that_hangs_costs_the_timeout)
{
	struct db_query q = { .statement = SQL_SCHEMA_VERSION }, after = q;

	set_up();
	wait_until_up();
	pid_t pid = (pid_t)backend();
	kill(pid, SIGSTOP);
	uint64_t begin_ms = clock_ms();
	ck_assert_int_eq(finish(&q), DB_UNCERTAIN);
	ck_assert_uint_ge(clock_ms() - begin_ms, 900);
	ck_assert_uint_le(clock_ms() - begin_ms, 1400);
	/* the connection is given up; another one serves while that one still hangs */
	turn_for(700);
	ck_assert_int_eq(finish(&after), DB_DONE);
	kill(pid, SIGCONT);
	db_end(&q);
	db_end(&after);
	tear_down();
}
END_TEST

START_TEST(without_a_server_everybody_hears_soon)
{
	struct db_query q = { .statement = SQL_SCHEMA_VERSION }, at_once = q, after = q;

	db_stop(SIGINT);
	set_up();
	ck_assert_int_eq(finish(&q), DB_UNAVAILABLE);
	turn_for(300);
	ck_assert_int_eq(db_run(db, &at_once), RUN_FAIL);
	ck_assert_int_eq(at_once.outcome, DB_UNAVAILABLE);
	db_start();
	wait_until_up();
	ck_assert_int_eq(finish(&after), DB_DONE);
	db_end(&q);
	db_end(&at_once);
	db_end(&after);
	tear_down();
}
END_TEST

START_TEST(notices_wake)
{
	set_up();
	db_listen(db, "gatehouse_feed", &waker);
	wait_until_up();
	/* it listens as soon as it is up, or a little later */
	for (int i = 0; i < 200 && wakes < 1; i++)
		turn_for(10);
	ck_assert_uint_eq(wakes, 1);
	db_execute("NOTIFY gatehouse_feed");
	for (int i = 0; i < 200 && wakes < 2; i++)
		turn_for(10);
	ck_assert_uint_eq(wakes, 2);
	db_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE application_name = 'gatehouse'");
	for (int i = 0; i < 200 && wakes < 3; i++)
		turn_for(10);
	ck_assert_uint_eq(wakes, 3);
	tear_down();
}
END_TEST

START_TEST(another_schema_is_no_database)
{
	struct db_query q = { .statement = SQL_SCHEMA_VERSION };

	db_execute("INSERT INTO schema_migrations VALUES (9999)");
	set_up();
	ck_assert_int_eq(finish(&q), DB_UNAVAILABLE);
	ck_assert(!db_is_up(db));
	db_execute("DELETE FROM schema_migrations WHERE version = 9999");
	wait_until_up();
	db_end(&q);
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("db_db");
	TCase *tcase = tcase_create("all");
	SRunner *runner;

	if (!db_make())
		return EXIT_SUCCESS;
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, a_query_has_its_rows);
	tcase_add_test(tcase, many_at_once_come_back_each);
	tcase_add_test(tcase, a_batch_is_one_statement);
	tcase_add_test(tcase, a_bad_row_is_no_others_loss);
	tcase_add_test(tcase, a_lost_connection_is_uncertain_and_comes_back);
	tcase_add_test(tcase, a_slow_statement_is_ended);
	tcase_add_test(tcase, a_server_that_hangs_costs_the_timeout);
	tcase_add_test(tcase, notices_wake);
	tcase_add_test(tcase, another_schema_is_no_database);
	tcase_add_test(tcase, without_a_server_everybody_hears_soon);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	db_remove();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
