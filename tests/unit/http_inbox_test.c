#include "gateway/http/inbox.h"

#include "tests/unit/wire_support.h"

static struct pool pool;
static struct inbox in;

static void
set_up(void)
{
	wire_set_up();
	pool_init(&pool, 32, 4);
	inbox_init(&in, &pool);
}

static void
tear_down(void)
{
	inbox_fini(&in);
	ck_assert_uint_eq(pool.leased, 0);
	pool_fini(&pool);
	wire_tear_down();
}

START_TEST(holds_no_memory_while_nothing_is_in_it)
{
	set_up();
	ck_assert_uint_eq(inbox_bytes(&in).n, 0);
	ck_assert(!inbox_is_full(&in));
	ck_assert_uint_eq(pool.leased, 0);
	peer_says(SPAN("head"));
	ck_assert_int_eq(inbox_fill(&in, &wire), 4);
	ck_assert_uint_eq(pool.leased, 1);
	inbox_keep_head(&in, 4);
	inbox_next(&in);
	ck_assert_uint_eq(pool.leased, 0);
	inbox_fini(&in);
	inbox_fini(&in);
	tear_down();
}
END_TEST

START_TEST(the_head_stays_while_a_body_passes)
{
	set_up();
	peer_says(SPAN("HEADab"));
	ck_assert_int_eq(inbox_fill(&in, &wire), 6);
	struct span head = { inbox_bytes(&in).p, 4 };
	inbox_keep_head(&in, 4);
	ck_assert_span(inbox_bytes(&in), SPAN("ab"));
	for (int i = 0; i < 100; i++) {
		inbox_take(&in, inbox_bytes(&in).n);
		peer_says(SPAN("0123456789"));
		ck_assert_int_eq(inbox_fill(&in, &wire), 10);
		ck_assert_span(inbox_bytes(&in), SPAN("0123456789"));
		ck_assert_span(head, SPAN("HEAD"));
	}
	inbox_take(&in, 7);
	ck_assert_span(inbox_bytes(&in), SPAN("789"));
	tear_down();
}
END_TEST

START_TEST(a_full_one_reads_no_more)
{
	set_up();
	peer_says(SPAN("0123456789abcdef0123456789ABCDEFrest"));
	ck_assert_int_eq(inbox_fill(&in, &wire), 32);
	ck_assert(inbox_is_full(&in));
	ck_assert_int_eq(inbox_fill(&in, &wire), 0);
	inbox_keep_head(&in, 16);
	ck_assert(inbox_is_full(&in));
	inbox_take(&in, 16);
	ck_assert(!inbox_is_full(&in));
	ck_assert_int_eq(inbox_fill(&in, &wire), 4);
	ck_assert_span(inbox_bytes(&in), SPAN("rest"));
	tear_down();
}
END_TEST

START_TEST(what_follows_a_message_is_the_next)
{
	set_up();
	peer_says(SPAN("HEADbodyNEXTx"));
	ck_assert_int_eq(inbox_fill(&in, &wire), 13);
	inbox_keep_head(&in, 4);
	inbox_take(&in, 4);
	inbox_next(&in);
	ck_assert_span(inbox_bytes(&in), SPAN("NEXTx"));
	peer_says(SPAN("y"));
	ck_assert_int_eq(inbox_fill(&in, &wire), 1);
	inbox_keep_head(&in, 4);
	ck_assert_span(inbox_bytes(&in), SPAN("xy"));
	inbox_take(&in, 2);
	inbox_next(&in);
	ck_assert_ptr_null(in.block);
	tear_down();
}
END_TEST

START_TEST(tells_what_the_wire_tells)
{
	set_up();
	ck_assert_int_eq(inbox_fill(&in, &wire), WIRE_AGAIN);
	peer_closes();
	ck_assert_int_eq(inbox_fill(&in, &wire), WIRE_END);
	tear_down();
}
END_TEST

SUITE_RUN("http_inbox", holds_no_memory_while_nothing_is_in_it, the_head_stays_while_a_body_passes,
    a_full_one_reads_no_more, what_follows_a_message_is_the_next, tells_what_the_wire_tells)
