#include "gateway/http/out.h"

#include "tests/unit/wire_support.h"

static struct out out;
static char got[1 << 22];

/* All that the peer can read now. */
static struct span
heard(void)
{
	static size_t n;
	ssize_t more;

	for (n = 0; (more = read(peer, got + n, sizeof(got) - n)) > 0; )
		n += (size_t)more;
	return span_make(got, n);
}

static void
set_up(void)
{
	wire_set_up();
	out_init(&out);
}

START_TEST(sends_in_order_and_counts)
{
	set_up();
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	out_put(&out, SPAN("head "));
	out_put(&out, SPAN(""));
	out_put(&out, SPAN("body"));
	ck_assert_uint_eq(out.left, 9);
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	ck_assert_span(heard(), SPAN("head body"));
	ck_assert_uint_eq(out.sent, 9);
	ck_assert_uint_eq(out.left, 0);
	for (int i = 0; i < 3 * OUT_SPANS; i++) {
		out_put(&out, SPAN("x"));
		ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	}
	ck_assert_uint_eq(heard().n, 3 * OUT_SPANS);
	wire_tear_down();
}
END_TEST

START_TEST(writes_chunks)
{
	set_up();
	out_put_chunk(&out, SPAN("hello"), false);
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	out_put_chunk(&out, SPAN("0123456789abcdef!"), true);
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	ck_assert_span(heard(), SPAN("5\r\nhello\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n"));
	out_put_chunk(&out, SPAN(""), false);
	ck_assert_uint_eq(out.left, 0);
	out_put_chunk(&out, SPAN(""), true);
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	ck_assert_span(heard(), SPAN("0\r\n\r\n"));
	wire_tear_down();
}
END_TEST

/* A head, an interim head before it, and a last chunk fit without a flush between them. */
START_TEST(has_room_for_two_heads_and_a_last_chunk)
{
	set_up();
	out_put(&out, SPAN("1"));
	out_put(&out, SPAN("2"));
	out_put(&out, SPAN("3"));
	out_put_chunk(&out, SPAN("4"), true);
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	ck_assert_span(heard(), SPAN("1231\r\n4\r\n0\r\n\r\n"));
	wire_tear_down();
}
END_TEST

START_TEST(goes_on_where_it_stopped)
{
	static char many[3 << 19];
	size_t sum = 0;

	set_up();
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = (char)(i * 31 + (i >> 8));
	out_put(&out, SPAN("H"));
	out_put(&out, span_make(many, sizeof(many)));
	out_put(&out, SPAN("T"));
	while (out_flush(&out, &wire) == RUN_WAIT) {
		struct span s = heard();

		for (size_t i = 0; i < s.n; i++, sum++)
			ck_assert_int_eq(s.p[i], sum == 0 ? 'H' : many[sum - 1]);
		turn_once();
	}
	struct span s = heard();
	ck_assert_uint_eq(sum + s.n, sizeof(many) + 2);
	ck_assert_int_eq(s.p[s.n - 1], 'T');
	ck_assert_uint_eq(out.sent, sizeof(many) + 2);
	wire_tear_down();
}
END_TEST

START_TEST(fails_when_the_peer_is_gone)
{
	set_up();
	peer_closes();
	out_put(&out, SPAN("x"));
	ck_assert_int_eq(out_flush(&out, &wire), RUN_FAIL);
	wire_tear_down();
}
END_TEST

SUITE_RUN("http_out", sends_in_order_and_counts, writes_chunks,
    has_room_for_two_heads_and_a_last_chunk, goes_on_where_it_stopped, fails_when_the_peer_is_gone)
