#include "shm/board.h"
#include "tests/unit/shm_memory.h"

static struct board *
board_new(void)
{
	return board_init(memory_new(board_size()), board_size());
}

START_TEST(a_server_keeps_its_slot)
{
	struct board *board = board_new();
	struct board_slot *slot = board_slot(board, 5);
	uint64_t id, missing = 0;

	ck_assert_ptr_nonnull(slot);
	ck_assert_ptr_eq(board_slot(board, 5), slot);
	ck_assert_ptr_ne(board_slot(board, 6), slot);
	for (id = 7; id < 5 + BOARD_SLOTS; id++)
		missing += board_slot(board, id) == NULL;
	ck_assert_uint_eq(missing, 0);
	ck_assert_ptr_null(board_slot(board, 100000));
	ck_assert_ptr_eq(board_slot(board, 5), slot);
}
END_TEST

START_TEST(failures_in_a_row_take_it_down_for_a_while)
{
	struct board_slot *slot = board_slot(board_new(), 5);

	ck_assert_uint_eq(board_fail(slot, 3, 1000, 500), 1);
	ck_assert_uint_eq(board_fail(slot, 3, 1000, 500), 2);
	ck_assert(!board_is_down(slot, 1000));
	board_ok(slot);
	ck_assert_uint_eq(board_failures(slot), 0);
	board_fail(slot, 3, 1000, 500);
	board_fail(slot, 3, 1000, 500);
	ck_assert_uint_eq(board_fail(slot, 3, 1000, 500), 3);
	ck_assert(board_is_down(slot, 1499));
	ck_assert(!board_is_down(slot, 1500));
	board_fail(slot, 3, 1500, 500);
	ck_assert(board_is_down(slot, 1999));
	board_ok(slot);
	ck_assert(!board_is_down(slot, 1999));
	ck_assert_uint_eq(board_fail(slot, 0, 1000, 500), 1);
	ck_assert(!board_is_down(slot, 1000));
}
END_TEST

START_TEST(probes_are_believed)
{
	struct board_slot *slot = board_slot(board_new(), 5);

	ck_assert_int_eq(board_probe(slot), BOARD_UNKNOWN);
	board_probed(slot, BOARD_DOWN);
	ck_assert(board_is_down(slot, 0));
	board_fail(slot, 1, 1000, 500);
	board_probed(slot, BOARD_UP);
	ck_assert(!board_is_down(slot, 1000));
}
END_TEST

START_TEST(load_is_counted_per_worker)
{
	struct board *board = board_new();
	struct board_slot *slot = board_slot(board, 5), *other = board_slot(board, 6);
	int worker;

	for (worker = 0; worker < BOARD_WORKERS; worker++) {
		board_begin(slot, worker);
		board_begin(slot, worker);
		board_end(slot, worker);
	}
	board_begin(slot, 3);
	board_begin(other, 3);
	ck_assert_uint_eq(board_load(slot), BOARD_WORKERS + 1);
	board_forget(board, 3);
	ck_assert_uint_eq(board_load(slot), BOARD_WORKERS - 1);
	ck_assert_uint_eq(board_load(other), 0);
	board_end(other, 3);
	ck_assert_uint_eq(board_load(other), 0);
}
END_TEST

MEMORY_RUN("shm_board", a_server_keeps_its_slot, failures_in_a_row_take_it_down_for_a_while,
    probes_are_believed, load_is_counted_per_worker)
