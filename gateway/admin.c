/*
 * A connection reads one head, writes one answer, and goes. Connections are freed at the end of
 * the turn, as an event of theirs may still be on its way. While there are too many of them, or
 * the kernel has no descriptor left, the listener is taken out of the loop, for else it would make
 * it spin.
 */
#include "gateway/admin.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/admin_page.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/http/head.h"

#define READ_TIMEOUT_MS		5000
#define WRITE_TIMEOUT_MS	10000
#define PAUSE_MS		200
#define FIELDS_MAX		64
#define ANSWER_HEAD_MAX		512

enum conn_state {
	CONN_READ,
	CONN_WRITE,
};

struct conn {
	struct task	  task;
	struct watch	  watch;
	struct grave	  grave;
	struct admin	 *admin;
	struct conn	 *next;
	struct conn	**link;
	enum conn_state	  state;
	struct want	  want;
	struct head_scan  scan;
	size_t		  in_n;
	char		 *out;
	size_t		  out_n;
	size_t		  sent;
	char		  in[ADMIN_HEAD_MAX];
};

struct admin {
	struct task		 task;
	struct watch		 watch;
	struct loop		*loop;
	const struct process	*process;
	int			 listener;
	bool			 leaving;
	size_t			 n;
	struct conn		*conns;
};

static const struct head_limits limits = {
	.max_head = ADMIN_HEAD_MAX,
	.max_target = 1024,
	.max_fields = FIELDS_MAX,
};

static void
conn_free(void *thing)
{
	struct conn *c = thing;

	free(c->out);
	free(c);
}

static void
conn_close(struct conn *c)
{
	struct admin *a = c->admin;
	int fd = c->watch.fd;

	loop_unwatch(a->loop, &c->watch);
	task_end(a->loop, &c->task);
	close(fd);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	a->n--;
	loop_bury(a->loop, &c->grave, conn_free, c);
	if (!a->leaving)
		task_wake(a->loop, &a->task);
}

static enum run
conn_wait(struct conn *c, short events)
{
	c->want.fd = c->watch.fd;
	c->want.events = events;
	return RUN_WAIT;
}

static const char *
status_text(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "Refused";
	}
}

/* Lays out the whole answer. */
static enum run
answer(struct conn *c, const struct admin_page *page, bool with_body)
{
	struct text t = { malloc(ANSWER_HEAD_MAX + page->n), 0, ANSWER_HEAD_MAX + page->n, false };

	if (t.p == NULL)
		return RUN_FAIL;
	text_fmt(&t, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", page->status,
	    status_text(page->status), page->type, page->n);
	if (page->status == 405)
		text_put(&t, SPAN("Allow: GET, HEAD\r\n"));
	text_put(&t, SPAN("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "Connection: close\r\n\r\n"));
	if (with_body)
		text_put(&t, span_make(page->body, page->n));
	c->out = t.p;
	c->out_n = t.n;
	c->state = CONN_WRITE;
	c->want.deadline_ms = loop_now_ms(c->admin->loop) + WRITE_TIMEOUT_MS;
	return RUN_DONE;
}

static enum run
refuse(struct conn *c, unsigned status, const char *sentence)
{
	struct admin_page page = { .status = status, .type = "text/plain; charset=utf-8",
		.n = strlen(sentence) };
	enum run run;

	page.body = strdup(sentence);
	if (page.body == NULL)
		return RUN_FAIL;
	run = answer(c, &page, true);
	free(page.body);
	return run;
}

static enum run
serve(struct conn *c, size_t length)
{
	struct field fields[FIELDS_MAX];
	struct admin_page page;
	struct head h;
	enum head_fault fault;
	enum run run;

	fault = head_parse_request(&h, span_make(c->in, length), &limits, fields);
	if (fault != HEAD_FINE)
		return refuse(c, head_fault_status(fault), head_fault_text(fault));
	if (h.method != METHOD_GET && h.method != METHOD_HEAD)
		return refuse(c, 405, "only GET and HEAD are served here");
	if (!admin_page_make(c->admin->process, h.target, &page))
		return RUN_FAIL;
	run = answer(c, &page, h.method == METHOD_GET);
	free(page.body);
	return run;
}

static enum run
conn_read(struct conn *c)
{
	ssize_t got = recv(c->watch.fd, c->in + c->in_n, sizeof(c->in) - c->in_n, 0);
	enum head_fault fault;
	size_t length;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return conn_wait(c, POLLIN);
	if (got <= 0)
		return RUN_FAIL;
	c->in_n += (size_t)got;
	fault = head_scan(&c->scan, span_make(c->in, c->in_n), &limits, &length);
	if (fault != HEAD_FINE)
		return refuse(c, head_fault_status(fault), head_fault_text(fault));
	if (length > 0)
		return serve(c, length);
	if (c->in_n == sizeof(c->in))
		return refuse(c, 431, "the head is too large");
	return RUN_DONE;
}

static enum run
conn_write(struct conn *c)
{
	ssize_t sent = send(c->watch.fd, c->out + c->sent, c->out_n - c->sent, MSG_NOSIGNAL);

	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return conn_wait(c, POLLOUT);
	if (sent < 0)
		return RUN_FAIL;
	c->sent += (size_t)sent;
	return c->sent == c->out_n ? RUN_FAIL : RUN_DONE;
}

/* Goes on until it must wait; RUN_FAIL ends the connection, at its end or before. */
static void
conn_run(struct loop *loop, struct task *task)
{
	struct conn *c = (struct conn *)task;
	enum run run = RUN_DONE;

	if (loop_now_ms(loop) >= c->want.deadline_ms)
		run = RUN_FAIL;
	while (run == RUN_DONE)
		run = c->state == CONN_READ ? conn_read(c) : conn_write(c);
	if (run == RUN_FAIL || !loop_want(loop, &c->watch, &c->want, &c->task))
		conn_close(c);
}

static void
conn_begin(struct admin *a, int fd)
{
	struct conn *c = malloc(sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	memset(c, 0, offsetof(struct conn, in));
	c->admin = a;
	task_init(&c->task, conn_run);
	if (!loop_watch_level(a->loop, &c->watch, fd, false, &c->task)) {
		close(fd);
		free(c);
		return;
	}
	c->want.deadline_ms = loop_now_ms(a->loop) + READ_TIMEOUT_MS;
	task_deadline(a->loop, &c->task, c->want.deadline_ms);
	c->link = &a->conns;
	c->next = a->conns;
	if (c->next != NULL)
		c->next->link = &c->next;
	a->conns = c;
	a->n++;
}

static void
admin_pause(struct admin *a)
{
	loop_unwatch(a->loop, &a->watch);
	task_deadline(a->loop, &a->task, loop_now_ms(a->loop) + PAUSE_MS);
}

static void
admin_accept(struct admin *a)
{
	while (a->n < ADMIN_CONNECTIONS_MAX) {
		int fd = accept4(a->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
			return;
		if (fd < 0)
			break;
		conn_begin(a, fd);
	}
	admin_pause(a);
}

static void
admin_run(struct loop *loop, struct task *task)
{
	struct admin *a = (struct admin *)task;

	if (a->leaving)
		return;
	if (a->watch.fd < 0 && a->n < ADMIN_CONNECTIONS_MAX &&
	    !loop_watch_level(loop, &a->watch, a->listener, false, &a->task))
		admin_pause(a);
	else if (a->watch.fd >= 0)
		admin_accept(a);
}

struct admin *
admin_new(struct loop *loop, const struct process *process, int listener)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->process = process;
	a->listener = listener;
	task_init(&a->task, admin_run);
	if (loop_watch_level(loop, &a->watch, listener, false, &a->task))
		return a;
	log_error("cannot watch the admin listener: %s", strerror(errno));
	free(a);
	return NULL;
}

void
admin_leave(struct admin *a)
{
	a->leaving = true;
	loop_unwatch(a->loop, &a->watch);
}

size_t
admin_connections(const struct admin *a)
{
	return a->n;
}

void
admin_free(struct admin **a)
{
	if (*a == NULL)
		return;
	admin_leave(*a);
	while ((*a)->conns != NULL)
		conn_close((*a)->conns);
	task_end((*a)->loop, &(*a)->task);
	free(*a);
	*a = NULL;
}
