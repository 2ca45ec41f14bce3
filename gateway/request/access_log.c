#include "gateway/request/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/base/text.h"

#define ROOM		((size_t)64 * 1024)
#define LINE_ROOM	((size_t)12 * 1024)	/* of the longest line */
#define PATH_SHOWN	((size_t)4096)		/* of a path in it */
#define VALUE_SHOWN	((size_t)512)		/* of any other value in it */
#define WRITE_AT	((size_t)16 * 1024)
#define PATIENCE_MS	100
#define RETRY_MS	10			/* for a reader that has no room */
#define LAST_MS		200			/* the same, when the log is closed */
#define PIPE_PIECE	((size_t)4096)		/* a pipe that polls writable takes this much */

struct access_log {
	struct loop	*loop;
	struct task	 task;		/* writes what has waited long enough */
	const char	*path;
	int		 fd;		/* -1: off */
	bool		 is_file;	/* takes any amount at once */
	unsigned	 worker;
	size_t		 n;
	char		 bytes[ROOM];
};

static bool
open_path(struct access_log *log)
{
	struct stat st;
	int fd = -1;

	if (strcmp(log->path, "off") == 0)
		return true;
	if (strcmp(log->path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return false;
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return true;
}

static void
run_task(struct loop *loop, struct task *task)
{
	(void)loop;
	access_log_flush((struct access_log *)((char *)task - offsetof(struct access_log, task)));
}

struct access_log *
access_log_open(struct loop *loop, const char *path, unsigned worker)
{
	struct access_log *log = malloc(sizeof(*log));

	if (log == NULL)
		return NULL;
	log->loop = loop;
	log->path = path;
	log->fd = -1;
	log->is_file = false;
	log->worker = worker;
	log->n = 0;
	task_init(&log->task, run_task);
	if (!open_path(log)) {
		free(log);
		return NULL;
	}
	return log;
}

void
access_log_reopen(struct access_log *log)
{
	access_log_flush(log);
	if (!open_path(log))
		log_error("access log %s: can't be opened again, the old file goes on: %m",
		    log->path);
}

/* How much may be written at once without waiting: whole lines where it is not all. */
static size_t
writable_piece(const struct access_log *log, const char *p, size_t n)
{
	struct pollfd ready = { log->fd, POLLOUT, 0 };

	if (log->is_file || n == 0)
		return n;
	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
		return 0;
	if (n <= PIPE_PIECE)
		return n;
	const char *end = memrchr(p, '\n', PIPE_PIECE);
	return end == NULL ? PIPE_PIECE : (size_t)(end + 1 - p);
}

static void
drop_lines(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	metric_add(METRIC_LOG_DROPPED, lines, 0);
}

void
access_log_flush(struct access_log *log)
{
	const char *p = log->bytes;
	size_t left = log->n, piece;

	while ((piece = writable_piece(log, p, left)) > 0) {
		ssize_t put = write(log->fd, p, piece);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			break;
		if (put <= 0) {
			drop_lines(p, left);
			left = 0;
			break;
		}
		p += put;
		left -= (size_t)put;
	}
	memmove(log->bytes, p, left);
	log->n = left;
	if (left > 0)
		task_deadline(log->loop, &log->task, loop_now_ms(log->loop) + RETRY_MS);
}

void
access_log_close(struct access_log **closed)
{
	struct access_log *log = *closed;
	uint64_t end_ms = clock_ms() + LAST_MS;
	struct pollfd ready;

	*closed = NULL;
	if (log == NULL)
		return;
	access_log_flush(log);
	while (log->n > 0 && clock_ms() < end_ms) {
		ready = (struct pollfd){ log->fd, POLLOUT, 0 };
		poll(&ready, 1, RETRY_MS);
		access_log_flush(log);
	}
	drop_lines(log->bytes, log->n);
	task_end(log->loop, &log->task);
	if (log->fd >= 0)
		close(log->fd);
	free(log);
}

/* Milliseconds with three digits behind the point, without floating point. */
static void
put_ms(struct text *t, uint64_t us)
{
	char digits[4] = { '.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
		(char)('0' + us % 10) };

	text_u64(t, us / 1000);
	text_put(t, span_make(digits, sizeof(digits)));
}

static const char *
verdict_of(const struct request *r)
{
	if (r->outcome != NULL)
		return r->outcome;
	if (r->judged)
		return verdict_name(r->judgement.verdict);
	return r->route != NULL && r->route->config->anonymous ? "anonymous" : "none";
}

static const char *
source_of(const struct request *r)
{
	if (!r->judged)
		return "none";
	switch (r->judgement.source) {
	case RECALL_CACHE:
		return "cache";
	case RECALL_VERIFIED:
		return "verified";
	case RECALL_LOOKED_UP:
		return "looked_up";
	case RECALL_INTROSPECTED:
		return "introspected";
	case RECALL_NONE:
		break;
	}
	return "none";
}

/* Puts at most `most` bytes of the value: whatever comes together, the line has room for it. */
static void
put_part(struct text *t, struct span label, struct span value, size_t most)
{
	text_put(t, label);
	text_json(t, span_make(value.p, value.n < most ? value.n : most));
}

static void
put_string(struct text *t, struct span label, struct span value)
{
	put_part(t, label, value, VALUE_SHOWN);
}

static void
put_who(struct text *t, const struct request *r)
{
	const struct facts *facts = r->judged ? r->judgement.facts : NULL;

	if (r->consumer.n > 0)
		put_string(t, SPAN(",\"consumer\":"), r->consumer);
	else if (facts != NULL)
		put_string(t, SPAN(",\"consumer\":"), request_consumer(r));
	if (r->judged && r->judgement.issuer != NULL)
		put_string(t, SPAN(",\"issuer\":"), span_of(r->judgement.issuer->name));
	text_put(t, SPAN(",\"verdict\":\""));
	text_str(t, verdict_of(r));
	text_put(t, SPAN("\",\"source\":\""));
	text_str(t, source_of(r));
	text_char(t, '"');
}

static void
put_what(struct text *t, const struct request *r)
{
	put_string(t, SPAN(",\"client\":"), r->client);
	if (r->head.target.n > 0) {
		put_string(t, SPAN(",\"method\":"), method_name(r->head.method));
		put_string(t, SPAN(",\"host\":"), r->head.host);
		put_part(t, SPAN(",\"path\":"), r->target.path, PATH_SHOWN);
	}
	if (r->route != NULL)
		put_string(t, SPAN(",\"route\":"), span_of(r->route->config->name));
	else if (r->endpoint != NULL)
		put_string(t, SPAN(",\"route\":"), r->endpoint->path);
	text_put(t, SPAN(",\"status\":"));
	text_u64(t, r->tally.status);
}

void
access_log_write(struct access_log *log, const struct request *r, uint64_t duration_us)
{
	char time[CLOCK_ISO_LEN];

	if (log->fd < 0)
		return;
	if (log->n == 0)
		task_deadline(log->loop, &log->task, loop_now_ms(log->loop) + PATIENCE_MS);
	if (ROOM - log->n < LINE_ROOM)
		access_log_flush(log);
	if (ROOM - log->n < LINE_ROOM) {
		metric_add(METRIC_LOG_DROPPED, 1, 0);
		return;
	}
	struct text t = { log->bytes + log->n, 0, LINE_ROOM, false };
	clock_iso(time, clock_wall_us());
	text_put(&t, SPAN("{\"time\":\""));
	text_put(&t, span_make(time, sizeof(time)));
	text_put(&t, SPAN("\",\"request_id\":\""));
	text_put(&t, span_make(r->id, sizeof(r->id)));
	text_char(&t, '"');
	put_what(&t, r);
	put_who(&t, r);
	text_put(&t, SPAN(",\"bytes_in\":"));
	text_u64(&t, r->tally.bytes_in);
	text_put(&t, SPAN(",\"bytes_out\":"));
	text_u64(&t, r->tally.bytes_out);
	text_put(&t, SPAN(",\"duration_ms\":"));
	put_ms(&t, duration_us);
	if (r->tally.server != NULL) {
		text_put(&t, SPAN(",\"upstream_ms\":"));
		put_ms(&t, r->tally.upstream_us);
		put_string(&t, SPAN(",\"upstream\":"), span_of(r->tally.server));
	}
	if (r->tally.failure != NULL)
		put_string(&t, SPAN(",\"failure\":"), span_of(r->tally.failure));
	text_put(&t, SPAN(",\"worker\":"));
	text_u64(&t, log->worker);
	text_put(&t, SPAN("}\n"));
	if (t.cut)
		metric_add(METRIC_LOG_DROPPED, 1, 0);
	else
		log->n += t.n;
	if (log->n >= WRITE_AT)
		task_wake(log->loop, &log->task);
}
