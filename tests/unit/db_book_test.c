/*
 * A book on a real PostgreSQL: who is asked, how often, and what is believed for how long.
 */
#include "gateway/db/book.h"

#include "gateway/base/shared.h"
#include "tests/unit/db_support.h"

#define LONG_MS	600000

static struct db *db;
static struct book *book;
static struct task waker;
static struct shared_control control;
static struct shared shared = { .control = &control };
static unsigned reads, frees;

static bool
read_number(const struct db_query *query, struct span id, void **record)
{
	reads++;
	ck_assert_uint_gt(id.n, 0);
	if (db_rows(query) == 0)
		return true;
	if (span_eq(db_value(query, 0, 0), SPAN("senseless")))
		return false;
	struct span custom_id = db_value(query, 0, 1);
	*record = strndup(custom_id.p, custom_id.n);
	return true;
}

static void
free_number(void *record)
{
	frees++;
	free(record);
}

static struct book_kind kind = { .statement = SQL_FIND_CONSUMER, .read = read_number,
    .free = free_number };

static void
set_up(uint64_t known_ms, bool outlives)
{
	loop_set_up();
	task_init(&waker, loop_stop_task);
	reads = frees = 0;
	kind.known_ms = kind.unknown_ms = known_ms;
	kind.outlives = outlives;
	db = db_open(loop, &db_config, NULL, 0);
	book = book_new(loop, db, &shared, &kind);
	ck_assert(db != NULL && book != NULL);
	db_execute("DELETE FROM consumers");
	db_execute("INSERT INTO consumers (name, custom_id) VALUES ('a', '1'), ('senseless', '2')");
}

static void
tear_down(void)
{
	book_free(&book);
	db_close(&db);
	task_end(loop, &waker);
	loop_tear_down();
	book_free(&book);
}

/* Goes on with a search until it has an answer. */
static enum book_answer
finish(struct book_search *s)
{
	enum book_answer answer;

	s->task = &waker;
	while ((answer = book_find(book, s)) == BOOK_WAIT)
		turn_for(5000);
	return answer;
}

/* What the book says of an id: the record, "" for none, NULL if it can't say. */
static const char *
look_up(const char *id)
{
	struct book_search s = { .id = span_of(id) };
	static char text[20];

	switch (finish(&s)) {
	case BOOK_FOUND:
		snprintf(text, sizeof(text), "%s", (const char *)s.record);
		book_search_end(&s);
		return text;
	case BOOK_UNKNOWN:
		book_search_end(&s);
		return "";
	case BOOK_UNAVAILABLE:
	case BOOK_WAIT:
		break;
	}
	book_search_end(&s);
	return NULL;
}

static void
change(const char *statement)
{
	db_execute(statement);
	control.clients_generation++;
}

START_TEST(what_was_looked_up_is_remembered)
{
	set_up(LONG_MS, false);
	ck_assert(!book_knows(book, SPAN("a")));
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(look_up("a"), "1");
		ck_assert_str_eq(look_up("b"), "");
	}
	ck_assert(book_knows(book, SPAN("a")) && !book_knows(book, SPAN("b")));
	ck_assert_uint_eq(reads, 2);
	/* not heard of yet */
	db_execute("DELETE FROM consumers WHERE name = 'a'");
	ck_assert_str_eq(look_up("a"), "1");
	change("INSERT INTO consumers (name, custom_id) VALUES ('b', '7')");
	ck_assert_str_eq(look_up("a"), "");
	ck_assert_str_eq(look_up("b"), "7");
	ck_assert_uint_eq(reads, 4);
	tear_down();
	ck_assert_uint_eq(frees, 2);
}
END_TEST

START_TEST(all_who_ask_at_once_share_a_query)
{
	struct book_search s[50] = { 0 };

	set_up(LONG_MS, false);
	for (int i = 0; i < 50; i++) {
		s[i] = (struct book_search){ .id = SPAN("a"), .task = &waker };
		ck_assert_int_eq(book_find(book, &s[i]), BOOK_WAIT);
	}
	/* some go away while they wait */
	book_search_end(&s[0]);
	book_search_end(&s[49]);
	book_search_end(&s[20]);
	for (int i = 1; i < 49; i++)
		if (i != 20)
			ck_assert_int_eq(finish(&s[i]), BOOK_FOUND);
	ck_assert_uint_eq(reads, 1);
	/* a record lives as long as somebody holds it */
	change("UPDATE consumers SET custom_id = '5' WHERE name = 'a'");
	ck_assert_str_eq(look_up("a"), "5");
	ck_assert_str_eq(s[7].record, "1");
	ck_assert_uint_eq(frees, 0);
	for (int i = 0; i < 50; i++)
		book_search_end(&s[i]);
	ck_assert_uint_eq(frees, 1);
	tear_down();
}
END_TEST

/* What was asked before a change does not answer who asks after it. */
START_TEST(a_query_that_began_too_early_is_not_enough)
{
	struct book_search early = { .id = SPAN("b"), .task = &waker };

	set_up(LONG_MS, true);
	ck_assert_int_eq(book_find(book, &early), BOOK_WAIT);
	change("INSERT INTO consumers (name, custom_id) VALUES ('b', '7')");
	ck_assert_str_eq(look_up("b"), "7");
	ck_assert_uint_eq(reads, 2);
	book_search_end(&early);
	tear_down();
}
END_TEST

START_TEST(rows_that_make_no_sense_are_no_answer)
{
	set_up(LONG_MS, true);
	ck_assert_ptr_null(look_up("senseless"));
	change("UPDATE consumers SET name = 'sense' WHERE custom_id = '2'");
	ck_assert_str_eq(look_up("2"), "2");
	/* nor does what it was before */
	change("UPDATE consumers SET name = 'senseless' WHERE custom_id = '2'");
	ck_assert_ptr_null(look_up("2"));
	ck_assert(!book_knows(book, SPAN("2")));
	tear_down();
}
END_TEST

/* Beyond its time a record answers once more, and is looked up meanwhile. */
START_TEST(who_outlives_its_time_is_not_waited_for)
{
	struct book_search s = { .id = SPAN("a"), .task = &waker };

	set_up(1, true);
	ck_assert_str_eq(look_up("a"), "1");
	db_execute("UPDATE consumers SET custom_id = '5' WHERE name = 'a'");
	turn_for(5);
	ck_assert_int_eq(book_find(book, &s), BOOK_FOUND);
	ck_assert_str_eq(s.record, "1");
	book_search_end(&s);
	for (int i = 0; i < 500 && reads < 2; i++)
		turn_for(10);
	ck_assert_uint_eq(reads, 2);
	s = (struct book_search){ .id = SPAN("a"), .task = &waker };
	ck_assert_int_eq(book_find(book, &s), BOOK_FOUND);
	ck_assert_str_eq(s.record, "5");
	book_search_end(&s);
	tear_down();
}
END_TEST

START_TEST(without_the_database)
{
	for (int outlives = 0; outlives < 2; outlives++) {
		set_up(1, outlives == 1);
		ck_assert_str_eq(look_up("a"), "1");
		db_stop(SIGINT);
		turn_for(5);
		for (int i = 0; i < 3; i++) {
			const char *answer = look_up("a");

			ck_assert(outlives == 1 ? strcmp(answer, "1") == 0 : answer == NULL);
			ck_assert_ptr_null(look_up("b"));
			turn_for(5);
		}
		/* what has changed is not known until it can be asked */
		control.clients_generation++;
		ck_assert_ptr_null(look_up("a"));
		db_start();
		for (int i = 0; i < 500 && look_up("a") == NULL; i++)
			turn_for(10);
		ck_assert_str_eq(look_up("a"), "1");
		tear_down();
	}
}
END_TEST

/* Made-up ids push out each other, and no record. */
START_TEST(a_flood_of_unknown_ids_is_bounded)
{
	char id[20];

	set_up(LONG_MS, false);
	ck_assert_str_eq(look_up("a"), "1");
	for (int i = 0; i < 1500; i++) {
		snprintf(id, sizeof(id), "id %d", i);
		ck_assert_str_eq(look_up(id), "");
	}
	ck_assert_uint_eq(reads, 1501);
	ck_assert_str_eq(look_up("a"), "1");
	ck_assert_str_eq(look_up("id 1499"), "");
	ck_assert_uint_eq(reads, 1501);
	ck_assert_str_eq(look_up("id 0"), "");
	ck_assert_uint_eq(reads, 1502);
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("db_book");
	TCase *tcase = tcase_create("all");
	SRunner *runner;

	if (!db_make())
		return EXIT_SUCCESS;
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, what_was_looked_up_is_remembered);
	tcase_add_test(tcase, all_who_ask_at_once_share_a_query);
	tcase_add_test(tcase, a_query_that_began_too_early_is_not_enough);
	tcase_add_test(tcase, rows_that_make_no_sense_are_no_answer);
	tcase_add_test(tcase, who_outlives_its_time_is_not_waited_for);
	tcase_add_test(tcase, without_the_database);
	tcase_add_test(tcase, a_flood_of_unknown_ids_is_bounded);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	db_remove();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
