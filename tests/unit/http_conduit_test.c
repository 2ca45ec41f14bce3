#include "gateway/http/conduit.h"

#include <signal.h>

#include "gateway/http/out.h"
#include "tests/unit/wire_support.h"

static struct conduits all;
static struct conduit *conduit;
static char got[64];

static void
set_up(void)
{
	wire_set_up();
	conduit = conduit_lease(&all);
	ck_assert_ptr_nonnull(conduit);
	ck_assert_uint_eq(conduit->held, 0);
}

static void
tear_down(void)
{
	conduit_return(&all, &conduit);
	ck_assert_uint_eq(all.n_leased, 0);
	conduits_fini(&all);
	ck_assert_uint_eq(all.n_free, 0);
	wire_tear_down();
}

/* The wire's bytes go through the conduit and back to the peer. */
START_TEST(pours_no_more_than_asked_and_drains_all)
{
	set_up();
	ck_assert_int_eq(wire_pour(&wire, conduit, 4), WIRE_AGAIN);
	peer_says(SPAN("large body"));
	ck_assert_int_eq(wire_pour(&wire, conduit, 5), 5);
	ck_assert_uint_eq(conduit->held, 5);
	ck_assert_int_eq(wire_drain(&wire, conduit), 5);
	ck_assert_uint_eq(conduit->held, 0);
	ck_assert_int_eq(read(peer, got, sizeof(got)), 5);
	ck_assert_span(span_make(got, 5), SPAN("large"));
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), 5);
	ck_assert_int_eq(wire_drain(&wire, conduit), 5);
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), WIRE_AGAIN);
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), WIRE_AGAIN);
	peer_says(SPAN("x"));
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), 1);
	tear_down();
}
END_TEST

START_TEST(tells_the_end_and_what_broke)
{
	signal(SIGPIPE, SIG_IGN);
	set_up();
	peer_says(SPAN("bye"));
	peer_closes();
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), 3);
	ck_assert_int_eq(wire_drain(&wire, conduit), WIRE_BROKEN);
	ck_assert_uint_eq(conduit->held, 3);
	tear_down();
	set_up();
	peer_closes();
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), WIRE_END);
	tear_down();
}
END_TEST

/* A body must never begin with what is left of another. */
START_TEST(what_comes_back_with_bytes_in_it_is_not_used_again)
{
	struct conduit *same;

	set_up();
	same = conduit;
	conduit_return(&all, &conduit);
	ck_assert_ptr_null(conduit);
	ck_assert_uint_eq(all.n_free, 1);
	conduit = conduit_lease(&all);
	ck_assert_ptr_eq(conduit, same);
	peer_says(SPAN("left over"));
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), 9);
	conduit_return(&all, &conduit);
	ck_assert_uint_eq(all.n_free, 0);
	conduit_return(&all, &conduit);
	ck_assert_uint_eq(all.n_leased, 0);
	tear_down();
}
END_TEST

START_TEST(there_is_a_most)
{
	struct conduit *many[CONDUITS_MAX] = { NULL };

	set_up();
	for (unsigned i = 1; i < CONDUITS_MAX; i++)
		ck_assert_ptr_nonnull(many[i] = conduit_lease(&all));
	ck_assert_ptr_null(conduit_lease(&all));
	conduit_return(&all, &many[1]);
	ck_assert_ptr_nonnull(many[1] = conduit_lease(&all));
	for (unsigned i = 1; i < CONDUITS_MAX; i++)
		conduit_return(&all, &many[i]);
	conduits_trim(&all);		/* all were needed until now */
	ck_assert_uint_eq(all.n_free, CONDUITS_MAX - 1);
	conduits_trim(&all);
	ck_assert_uint_eq(all.n_free, 0);
	tear_down();
}
END_TEST

START_TEST(goes_out_behind_what_was_queued_before)
{
	struct out out;

	set_up();
	out_init(&out);
	peer_says(SPAN("body"));
	ck_assert_int_eq(wire_pour(&wire, conduit, 50), 4);
	out_put(&out, SPAN("head "));
	out_put_conduit(&out, conduit);
	ck_assert_uint_eq(out.left, 9);
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	ck_assert_uint_eq(out.sent, 9);
	out_put(&out, SPAN(" tail"));
	ck_assert_int_eq(out_flush(&out, &wire), RUN_DONE);
	ck_assert_int_eq(read(peer, got, sizeof(got)), 14);
	ck_assert_span(span_make(got, 14), SPAN("head body tail"));
	tear_down();
}
END_TEST

SUITE_RUN("http_conduit", pours_no_more_than_asked_and_drains_all, tells_the_end_and_what_broke,
    what_comes_back_with_bytes_in_it_is_not_used_again, there_is_a_most,
    goes_out_behind_what_was_queued_before)
