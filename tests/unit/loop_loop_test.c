#include "gateway/loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "tests/unit/loop_support.h"

/* A task that notes its runs, and does one thing more. */
struct noter {
	struct task	 task;
	char		 name;
	unsigned	 runs;
	uint64_t	 ran_ms;
	struct task	*wakes;
	struct task	*ends;
	unsigned	 stop_after;
};

static char order[64];
static size_t n_order;

static void
run_noter(struct loop *l, struct task *task)
{
	struct noter *n = (struct noter *)task;

	n->runs++;
	n->ran_ms = loop_now_ms(l);
	if (n_order < sizeof(order))
		order[n_order++] = n->name;
	if (n->ends != NULL)
		task_end(l, n->ends);
	if (n->wakes != NULL)
		task_wake(l, n->wakes);
	if (n->runs == n->stop_after)
		loop_stop(l);
}

static struct noter
noter(char name)
{
	struct noter n = { .name = name };

	task_init(&n.task, run_noter);
	return n;
}

static unsigned turns;

static void
count_turn(struct loop *l, void *argument)
{
	(void)l;
	(void)argument;
	turns++;
}

START_TEST(runs_in_order_and_once_a_turn)
{
	struct noter a = noter('a'), b = noter('b'), c = noter('c');

	loop_set_up();
	task_wake(loop, &b.task);
	task_wake(loop, &a.task);
	task_wake(loop, &b.task);
	task_wake(loop, &c.task);
	turn_once();
	ck_assert_span(span_make(order, n_order), SPAN("bac"));
	turn_once();
	ck_assert_uint_eq(n_order, 3);
	loop_tear_down();
}
END_TEST

START_TEST(what_a_task_wakes_runs_in_the_next_turn)
{
	struct noter a = noter('a'), b = noter('b');
	struct turn_end end;

	loop_set_up();
	loop_at_turn_end(loop, &end, count_turn, NULL);
	a.wakes = &a.task;
	a.stop_after = 10;
	b.wakes = &a.task;	/* is on the queue already */
	task_wake(loop, &a.task);
	task_wake(loop, &b.task);
	loop_run(loop);
	ck_assert_uint_eq(a.runs, 10);
	ck_assert_uint_eq(b.runs, 1);
	ck_assert_uint_eq(turns, 10);
	loop_tear_down();
}
END_TEST

static char more[8];
static size_t n_more;

static void
ask_for_more(struct loop *l, struct task *task)
{
	task_wake(l, task);	/* for the next turn, which doesn't count */
	loop_stop(l);
	more[n_more++] = loop_has_more(l) ? 'y' : 'n';
}

START_TEST(a_task_knows_whether_others_run_in_its_turn)
{
	struct task a, b;

	loop_set_up();
	task_init(&a, ask_for_more);
	task_init(&b, ask_for_more);
	task_wake(loop, &a);
	task_wake(loop, &b);
	loop_run(loop);
	loop_run(loop);
	task_end(loop, &a);
	loop_run(loop);
	ck_assert_span(span_make(more, n_more), SPAN("ynynn"));
	loop_tear_down();
}
END_TEST

/* The last task of a turn may be ended by an earlier one: the turn must end all the same. */
START_TEST(a_turn_ends_whoever_is_ended_in_it)
{
	struct noter a = noter('a'), b = noter('b'), c = noter('c');
	struct turn_end end;

	loop_set_up();
	loop_at_turn_end(loop, &end, count_turn, NULL);
	a.wakes = &a.task;
	a.stop_after = 10;
	a.ends = &c.task;
	task_wake(loop, &a.task);
	task_wake(loop, &b.task);
	task_wake(loop, &c.task);
	loop_run(loop);
	ck_assert_uint_eq(turns, 10);
	ck_assert_uint_eq(b.runs, 1);
	ck_assert_uint_eq(c.runs, 0);
	loop_tear_down();
}
END_TEST

START_TEST(an_ended_task_never_runs)
{
	struct noter a = noter('a'), b = noter('b'), c = noter('c'), d = noter('d');

	loop_set_up();
	task_wake(loop, &a.task);
	task_wake(loop, &b.task);
	task_wake(loop, &c.task);
	task_end(loop, &a.task);	/* the first */
	task_end(loop, &c.task);	/* the last */
	task_wake(loop, &d.task);	/* the tail is in order */
	task_wake(loop, &a.task);
	task_deadline(loop, &c.task, clock_ms());
	turn_for(50);
	ck_assert_span(span_make(order, n_order), SPAN("bd"));
	task_end(loop, &b.task);
	task_end(loop, &b.task);
	loop_tear_down();
}
END_TEST

/* Works in its first run and sends in its second, if it is told to gather. */
struct sender {
	struct task	 task;
	char		 works;
	char		 sends;
	struct task	*ends;
};

static void
note(char c)
{
	if (n_order < sizeof(order))
		order[n_order++] = c;
}

static void
run_sender(struct loop *l, struct task *task)
{
	struct sender *s = (struct sender *)task;

	if (task_gather(l, task)) {
		ck_assert(task_gather(l, task));	/* asked twice, run once more */
		task_wake(l, task);
		note(s->works);
	} else {
		note(s->sends);
		if (s->ends != NULL)
			task_end(l, s->ends);
	}
}

static struct sender
sender(char works, char sends)
{
	struct sender s = { .works = works, .sends = sends };

	task_init(&s.task, run_sender);
	return s;
}

START_TEST(what_is_to_be_sent_waits_for_the_others)
{
	struct sender a = sender('a', 'A'), b = sender('b', 'B');
	struct noter n = noter('n');

	loop_set_up();
	ck_assert(!task_gather(loop, &a.task));		/* outside of a turn */
	task_wake(loop, &a.task);
	task_wake(loop, &b.task);
	task_wake(loop, &n.task);
	turn_once();
	ck_assert_span(span_make(order, n_order), SPAN("abnAB"));
	ck_assert(!task_gather(loop, &a.task));
	turn_once();
	ck_assert_uint_eq(n_order, 5);
	loop_tear_down();
}
END_TEST

START_TEST(an_ended_task_sends_nothing)
{
	struct sender a = sender('a', 'A'), b = sender('b', 'B'), c = sender('c', 'C'),
	    d = sender('d', 'D');
	struct noter n = noter('n');

	loop_set_up();
	b.ends = &c.task;	/* while sending */
	n.ends = &a.task;	/* while working */
	task_wake(loop, &a.task);
	task_wake(loop, &b.task);
	task_wake(loop, &c.task);
	task_wake(loop, &d.task);
	task_wake(loop, &n.task);
	turn_once();
	ck_assert_span(span_make(order, n_order), SPAN("abcdnBD"));
	loop_tear_down();
}
END_TEST

/* One who is to run in the next turn anyway sends at once. */
static void
run_goer(struct loop *l, struct task *task)
{
	task_wake(l, task);
	ck_assert(!task_gather(l, task));
	note('g');
	task_end(l, task);
}

START_TEST(who_is_on_the_queue_does_not_wait)
{
	struct task goer;

	loop_set_up();
	task_init(&goer, run_goer);
	task_wake(loop, &goer);
	turn_once();
	turn_once();
	ck_assert_span(span_make(order, n_order), SPAN("g"));
	loop_tear_down();
}
END_TEST

START_TEST(a_long_turn_sends_now_and_then)
{
	enum { N = 40, SENT_AFTER = 32 };
	static struct sender senders[N];
	struct noter last = noter('n');

	loop_set_up();
	for (size_t i = 0; i < N; i++) {
		senders[i] = sender('w', 's');
		task_wake(loop, &senders[i].task);
	}
	task_wake(loop, &last.task);
	turn_once();
	ck_assert_uint_eq(n_order, sizeof(order));
	for (size_t i = 0; i < n_order; i++)
		ck_assert_int_eq(order[i], i < SENT_AFTER ? 'w' : 's');
	for (size_t i = 0; i < N; i++)
		ck_assert_int_eq(senders[i].task.state, TASK_IDLE);
	loop_tear_down();
}
END_TEST

START_TEST(a_stop_before_the_run_counts)
{
	struct noter a = noter('a');

	loop_set_up();
	loop_stop(loop);
	task_wake(loop, &a.task);
	loop_run(loop);
	ck_assert_uint_eq(a.runs, 0);
	turn_once();
	ck_assert_uint_eq(a.runs, 1);
	loop_tear_down();
}
END_TEST

START_TEST(deadlines_are_met_and_not_before)
{
	enum { N = 200 };
	static struct noter noters[N];
	static uint64_t due_ms[N];

	loop_set_up();
	uint64_t now_ms = clock_ms();
	for (size_t i = 0; i < N; i++) {
		noters[i] = noter('x');
		due_ms[i] = now_ms + i * 7919 % 250;
		task_deadline(loop, &noters[i].task, due_ms[i]);
	}
	turn_for(350);
	for (size_t i = 0; i < N; i++) {
		ck_assert_uint_eq(noters[i].runs, 1);
		ck_assert_uint_ge(noters[i].ran_ms, due_ms[i]);
		ck_assert_uint_le(noters[i].ran_ms, due_ms[i] + 90);
		task_end(loop, &noters[i].task);
	}
	loop_tear_down();
}
END_TEST

START_TEST(a_deadline_moves_both_ways)
{
	struct noter later = noter('l'), sooner = noter('s'), never = noter('n'), past = noter('p'),
	    again = noter('a');

	loop_set_up();
	uint64_t now_ms = clock_ms();
	task_deadline(loop, &later.task, now_ms + 20);
	task_deadline(loop, &later.task, now_ms + 150);
	task_deadline(loop, &sooner.task, now_ms + 100000);
	task_deadline(loop, &sooner.task, now_ms + 30);
	task_deadline(loop, &never.task, now_ms + 20);
	task_deadline(loop, &never.task, 0);
	task_deadline(loop, &past.task, 1);
	task_deadline(loop, &again.task, now_ms + 20);
	task_deadline(loop, &again.task, 0);
	task_deadline(loop, &again.task, now_ms + 40);
	turn_for(100);
	ck_assert_uint_eq(later.runs, 0);
	ck_assert_uint_eq(sooner.runs, 1);
	ck_assert_uint_eq(past.runs, 1);
	ck_assert_uint_eq(again.runs, 1);
	turn_for(120);
	ck_assert_uint_eq(later.runs, 1);
	ck_assert_uint_eq(sooner.runs, 1);
	ck_assert_uint_eq(never.runs, 0);
	loop_tear_down();
}
END_TEST

/* Deadlines a whole round of the wheel away hang in the slots of near ones. */
START_TEST(a_far_deadline_is_no_near_one)
{
	struct noter far = noter('f'), near = noter('n'), farther = noter('g');

	loop_set_up();
	uint64_t now_ms = clock_ms();
	task_deadline(loop, &far.task, now_ms + 16384 + 30);
	task_deadline(loop, &near.task, now_ms + 30);
	task_deadline(loop, &farther.task, UINT64_MAX);
	turn_for(90);
	ck_assert_uint_eq(near.runs, 1);
	ck_assert_uint_eq(far.runs + farther.runs, 0);
	task_deadline(loop, &far.task, clock_ms() + 10);
	turn_for(60);
	ck_assert_uint_eq(far.runs, 1);
	ck_assert_uint_eq(farther.runs, 0);
	task_end(loop, &farther.task);
	loop_tear_down();
}
END_TEST

static void
make_pair(int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
}

START_TEST(an_edge_is_remembered)
{
	struct noter a = noter('a');
	struct watch w;
	int fds[2];

	loop_set_up();
	make_pair(fds);
	ck_assert(loop_watch(loop, &w, fds[0], &a.task));
	turn_for(20);
	ck_assert_uint_eq(w.ready, READY_WRITE);
	ck_assert_uint_eq(a.runs, 1);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	turn_for(20);
	ck_assert_uint_eq(w.ready, READY_WRITE | READY_READ);
	unsigned runs = a.runs;
	turn_for(20);
	ck_assert_uint_eq(a.runs, runs);	/* told once */
	w.ready = 0;
	close(fds[1]);
	turn_for(20);
	ck_assert_uint_eq(w.ready, READY_WRITE | READY_READ | READY_HANGUP);
	loop_unwatch(loop, &w);
	ck_assert_int_eq(w.fd, -1);
	loop_unwatch(loop, &w);
	close(fds[0]);
	loop_tear_down();
}
END_TEST

START_TEST(a_watch_without_a_task_only_remembers)
{
	struct watch w;
	int fds[2];

	loop_set_up();
	make_pair(fds);
	ck_assert(loop_watch(loop, &w, fds[0], NULL));
	turn_for(20);
	ck_assert_uint_eq(w.ready, READY_WRITE);
	loop_unwatch(loop, &w);
	loop_tear_down();
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(refuses_what_the_kernel_refuses)
{
	struct watch w;

	loop_set_up();
	ck_assert(!loop_watch(loop, &w, 9999, NULL));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(w.fd, -1);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ck_assert(!loop_watch_level(loop, &w, fd, false, NULL));
	ck_assert_int_eq(errno, EPERM);
	loop_unwatch(loop, &w);
	close(fd);
	loop_tear_down();
}
END_TEST

START_TEST(a_level_tells_until_it_is_gone)
{
	struct noter a = noter('a');
	struct watch w;
	int fds[2];
	char byte;

	loop_set_up();
	make_pair(fds);
	ck_assert(loop_watch_level(loop, &w, fds[0], true, &a.task));
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	turn_once();
	turn_once();
	turn_once();
	ck_assert_uint_ge(a.runs, 2);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	turn_once();
	unsigned runs = a.runs;
	turn_for(30);
	ck_assert_uint_eq(a.runs, runs);
	loop_unwatch(loop, &w);
	close(fds[0]);
	close(fds[1]);
	loop_tear_down();
}
END_TEST

START_TEST(follows_what_is_wanted)
{
	struct noter a = noter('a');
	struct watch w = { .fd = -1 };
	int one[2], two[2];

	loop_set_up();
	make_pair(one);
	make_pair(two);
	ck_assert(loop_want(loop, &w, &(struct want){ one[0], POLLIN, 0 }, &a.task));
	turn_for(20);
	ck_assert_uint_eq(a.runs, 0);
	ck_assert(loop_want(loop, &w, &(struct want){ one[0], POLLOUT, 0 }, &a.task));
	turn_once();
	turn_once();
	ck_assert_uint_ge(a.runs, 1);
	/* another descriptor: the first one says no more */
	ck_assert(loop_want(loop, &w, &(struct want){ two[0], POLLIN, 0 }, &a.task));
	ck_assert_int_eq(write(one[1], "x", 1), 1);
	turn_once();
	unsigned runs = a.runs;
	turn_for(20);
	ck_assert_uint_eq(a.runs, runs);
	ck_assert_int_eq(write(two[1], "x", 1), 1);
	turn_once();
	turn_once();
	ck_assert_uint_gt(a.runs, runs);
	/* only a time */
	ck_assert(loop_want(loop, &w, &(struct want){ -1, 0, clock_ms() + 30 }, &a.task));
	ck_assert_int_eq(w.fd, -1);
	turn_once();
	runs = a.runs;
	turn_for(80);
	ck_assert_uint_eq(a.runs, runs + 1);
	ck_assert(!loop_want(loop, &w, &(struct want){ 9999, POLLIN, 0 }, &a.task));
	loop_tear_down();
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
}
END_TEST

/* Whoever closes a descriptor and opens another may get the same number. */
START_TEST(a_number_that_is_used_again_is_watched_again)
{
	struct noter a = noter('a');
	struct watch w = { .fd = -1 };
	int one[2], two[2];

	loop_set_up();
	make_pair(one);
	make_pair(two);
	ck_assert(loop_want(loop, &w, &(struct want){ one[0], POLLIN, 0 }, &a.task));
	ck_assert_int_eq(dup3(two[0], one[0], O_CLOEXEC), one[0]);
	ck_assert(loop_want(loop, &w, &(struct want){ one[0], POLLIN, 0 }, &a.task));
	ck_assert_int_eq(write(two[1], "x", 1), 1);
	turn_once();
	turn_once();
	ck_assert_uint_ge(a.runs, 1);
	loop_unwatch(loop, &w);
	loop_tear_down();
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
}
END_TEST

static void
dig(void *thing)
{
	order[n_order++] = *(char *)thing;
}

static struct grave grave, second;

static void
bury_two(struct loop *l, struct task *task)
{
	(void)task;
	loop_bury(l, &grave, dig, "1");
	loop_bury(l, &second, dig, "2");
}

START_TEST(nothing_is_freed_while_tasks_run)
{
	struct noter a = noter('a');
	struct task burier;

	loop_set_up();
	task_init(&burier, bury_two);
	task_wake(loop, &burier);
	task_wake(loop, &a.task);
	turn_once();
	ck_assert_uint_eq(n_order, 3);
	ck_assert_int_eq(order[0], 'a');
	loop_bury(loop, &grave, dig, "3");
	loop_tear_down();
	ck_assert_int_eq(order[3], '3');
}
END_TEST

SUITE_RUN("loop_loop", runs_in_order_and_once_a_turn, what_a_task_wakes_runs_in_the_next_turn,
    a_task_knows_whether_others_run_in_its_turn, a_turn_ends_whoever_is_ended_in_it,
    an_ended_task_never_runs, a_stop_before_the_run_counts,
    what_is_to_be_sent_waits_for_the_others, an_ended_task_sends_nothing,
    who_is_on_the_queue_does_not_wait, a_long_turn_sends_now_and_then,
    deadlines_are_met_and_not_before, a_deadline_moves_both_ways, a_far_deadline_is_no_near_one,
    an_edge_is_remembered, a_watch_without_a_task_only_remembers, refuses_what_the_kernel_refuses,
    a_level_tells_until_it_is_gone, follows_what_is_wanted,
    a_number_that_is_used_again_is_watched_again, nothing_is_freed_while_tasks_run)
