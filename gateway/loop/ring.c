/*
 * The system calls are used raw: two queues in mapped memory, one call that takes what is in the
 * first and answers in the second. An entry of the submission queue always lies at its own index,
 * so the array of indices between, which older kernels insist on, is written once. Both
 * queues are empty whenever ring_run() returns.
 */
#include "gateway/loop/ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/base/must.h"

struct ring {
	int			 fd;
	unsigned		 size;
	unsigned		 queued;
	char			*queues;	/* both, in one mapping */
	size_t			 queues_size;
	struct io_uring_sqe	*sends;
	_Atomic unsigned	*taken, *given;	/* head and tail of the submissions */
	_Atomic unsigned	*read, *written;	/* head and tail of the completions */
	struct io_uring_cqe	*answers;
	unsigned		 answers_mask;
};

static bool
map(struct ring *r, const struct io_uring_params *p)
{
	size_t submissions = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	size_t completions = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	const int access = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_POPULATE;
	void *queues, *sends;

	r->queues_size = submissions > completions ? submissions : completions;
	queues = mmap(NULL, r->queues_size, access, shared, r->fd, IORING_OFF_SQ_RING);
	if (queues == MAP_FAILED)
		return false;
	r->queues = queues;
	sends = mmap(NULL, p->sq_entries * sizeof(*r->sends), access, shared, r->fd,
	    IORING_OFF_SQES);
	if (sends == MAP_FAILED)
		return false;
	r->sends = sends;
	r->taken = (_Atomic unsigned *)(r->queues + p->sq_off.head);
	r->given = (_Atomic unsigned *)(r->queues + p->sq_off.tail);
	r->read = (_Atomic unsigned *)(r->queues + p->cq_off.head);
	r->written = (_Atomic unsigned *)(r->queues + p->cq_off.tail);
	r->answers = (struct io_uring_cqe *)(r->queues + p->cq_off.cqes);
	r->answers_mask = p->cq_entries - 1;
	for (unsigned i = 0; i < p->sq_entries; i++)
		((unsigned *)(r->queues + p->sq_off.array))[i] = i;
	return true;
}

void
ring_free(struct ring **ring)
{
	struct ring *r = *ring;

	if (r == NULL)
		return;
	if (r->sends != NULL)
		munmap(r->sends, r->size * sizeof(*r->sends));
	if (r->queues != NULL)
		munmap(r->queues, r->queues_size);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
	*ring = NULL;
}

void
ring_send(struct ring *r, int fd, const void *p, size_t n)
{
	unsigned at = atomic_load_explicit(r->given, memory_order_relaxed) + r->queued;

	must(r->queued < r->size);
	r->sends[at & (r->size - 1)] = (struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = fd,
		.addr = (uint64_t)(uintptr_t)p, .len = (uint32_t)n,
		.msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT, .user_data = r->queued };
	r->queued++;
}

/* Takes the answers that are there: how many. */
static unsigned
reap(struct ring *r, int *results)
{
	unsigned at = atomic_load_explicit(r->read, memory_order_relaxed);
	unsigned end = atomic_load_explicit(r->written, memory_order_acquire), n = end - at;

	for (; at != end; at++) {
		const struct io_uring_cqe *answer = &r->answers[at & r->answers_mask];

		must(answer->user_data < r->queued);
		results[answer->user_data] = answer->res;
	}
	atomic_store_explicit(r->read, end, memory_order_release);
	return n;
}

void
ring_run(struct ring *r, int *results)
{
	unsigned first = atomic_load_explicit(r->given, memory_order_relaxed);
	unsigned submitted = 0, done = 0;

	for (unsigned i = 0; i < r->queued; i++)
		results[i] = -EAGAIN;
	atomic_store_explicit(r->given, first + r->queued, memory_order_release);
	while (done < r->queued) {
		/* they are over when submitted; asking to wait for them only makes sure of it */
		long n = syscall(SYS_io_uring_enter, r->fd, r->queued - submitted,
		    r->queued - done, IORING_ENTER_GETEVENTS, NULL, 0);

		bool stuck = n < 0 ? errno != EINTR : n == 0 && submitted < r->queued;

		if (n > 0)
			submitted += (unsigned)n;
		done += reap(r, results);
		if (stuck && done == submitted)
			break;		/* the kernel has no room for the others */
	}
	/* what it has not taken is taken back */
	atomic_store_explicit(r->given, atomic_load_explicit(r->taken, memory_order_acquire),
	    memory_order_release);
	r->queued = 0;
}

/* Tries a send that must fail in a certain way: a filter may forbid the other system call alone. */
static bool
works(struct ring *r)
{
	int result;

	ring_send(r, -1, "", 0);
	ring_run(r, &result);
	return result == -EBADF;
}

struct ring *
ring_new(unsigned size)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SUBMIT_ALL };
	struct ring *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->size = size;
	r->fd = (int)syscall(SYS_io_uring_setup, size, &p);
	if (r->fd < 0 || p.sq_entries != size || !(p.features & IORING_FEAT_SINGLE_MMAP) ||
	    !map(r, &p) || !works(r)) {
		int error = r->fd < 0 ? errno : ENOTSUP;

		ring_free(&r);
		errno = error;
	}
	return r;
}
