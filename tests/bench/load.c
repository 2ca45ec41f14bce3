/*
 * A load generator for what wrk cannot do: a token of its own for each request, far more open
 * connections than requests under way, a fixed rate, and a look into each answer. One thread, one
 * epoll set.
 *
 *	load -p PORT -u PATH | -q REQUEST -c CONNECTIONS -a ACTIVE -d SECONDS [-r RATE]
 *	    [-t FILE [-m TOKENS] [-1 [-o FIRST]]] [-x TEXT]
 *
 * Opens all connections, says "ready", and waits for a line on its input, so that the caller can
 * read the proxy's clocks after the connecting. Then at most ACTIVE requests are under way at a
 * time, each on the connection that has been idle the longest. With -r they are due at fixed
 * times, and latency counts from when a request was due, not from when it could be sent: a slow
 * answer is not hidden by the requests it held up. FILE holds one bearer token a line, all of
 * one length; the first TOKENS of them are chosen at random, with -1 in order and each once,
 * from number FIRST on. The result is one line, as wrk.lua prints it. A head and its body must fit
 * into ANSWER_MAX.
 *
 * The request is GET PATH with such a token, or what the file REQUEST holds, in which {} stands for
 * a line of FILE. With -x each answer must have status 200 and hold TEXT; told are how many were
 * `wrong`, how often what follows TEXT, up to the next quote, has `changed` from one answer to the
 * next, and how many different lines of FILE were `chosen`.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 8192
#define REQUEST_MAX 4096
#define SAMPLES_MAX (8u << 20)
#define DRAIN_NS 2000000000ull
#define EVENTS 256

struct connection {
	int fd;
	unsigned got;
	uint64_t due_ns;
	struct connection *next;
	char answer[ANSWER_MAX];
};

struct load {
	int port, connections, active, seconds;
	double rate;
	const char *path, *file, *request, *text;
	bool once;

	const char *tokens;
	uint64_t most_tokens, token_count, stride, next_token, seed;

	int epoll, under_way;
	struct connection *all, *idle, **idle_end;
	char head[REQUEST_MAX], *tail;
	size_t head_length, tail_length;

	uint64_t begin_ns, end_ns, last_ns, issued, bytes, failed, over_399;
	uint64_t wrong, changed, chosen;
	bool *was_chosen;
	char *last;
	uint32_t *latencies_us;
	uint64_t samples;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
open_tokens(struct load *l)
{
	int fd = open(l->file, O_RDONLY | O_CLOEXEC);
	const char *newline;
	struct stat st;
	void *memory;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		die(l->file);
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (memory == MAP_FAILED)
		die(l->file);
	newline = memchr(memory, '\n', (size_t)st.st_size);
	if (newline == NULL)
		die("tokens end without a newline");
	l->tokens = memory;
	l->stride = (uint64_t)(newline - l->tokens) + 1;
	l->token_count = (uint64_t)st.st_size / l->stride;
	if (l->most_tokens > 0 && l->most_tokens < l->token_count)
		l->token_count = l->most_tokens;
	close(fd);
}

static const char *
pick_token(struct load *l)
{
	uint64_t n = l->next_token++;

	if (!l->once) {
		l->seed ^= l->seed << 13;
		l->seed ^= l->seed >> 7;
		l->seed ^= l->seed << 17;
		n = l->seed % l->token_count;
	}
	if (l->was_chosen != NULL) {
		l->chosen += !l->was_chosen[n];
		l->was_chosen[n] = true;
	}
	return l->tokens + n * l->stride;
}

static void
put_idle(struct load *l, struct connection *c)
{
	c->next = NULL;
	*l->idle_end = c;
	l->idle_end = &c->next;
}

static struct connection *
take_idle(struct load *l)
{
	struct connection *c = l->idle;

	l->idle = c->next;
	if (l->idle == NULL)
		l->idle_end = &l->idle;
	return c;
}

static void
connect_one(struct load *l, struct connection *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("connect");
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll_ctl");
	put_idle(l, c);
}

static void
connect_all(struct load *l)
{
	struct rlimit most;
	int n;

	if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
		most.rlim_cur = most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
	}
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->all = calloc((size_t)l->connections, sizeof(*l->all));
	l->latencies_us = calloc(SAMPLES_MAX, sizeof(*l->latencies_us));
	l->last = calloc(1, ANSWER_MAX);
	if (l->epoll < 0 || l->all == NULL || l->latencies_us == NULL || l->last == NULL)
		die("memory");
	l->idle_end = &l->idle;
	for (n = 0; n < l->connections; n++)
		connect_one(l, &l->all[n]);
}

static void
send_one(struct load *l)
{
	struct connection *c = take_idle(l);
	struct iovec parts[3] = { { l->head, l->head_length } };
	size_t whole = l->head_length + l->tail_length;

	if (l->tokens != NULL) {
		parts[1].iov_base = (void *)pick_token(l);
		parts[1].iov_len = l->stride - 1;
		whole += l->stride - 1;
	}
	parts[2].iov_base = l->tail;
	parts[2].iov_len = l->tail_length;
	c->due_ns = l->rate > 0 ? l->begin_ns + (uint64_t)((double)l->issued * 1e9 / l->rate)
				: now_ns();
	c->got = 0;
	l->issued++;
	/* one request is under way on a connection at most, so the socket has room for it */
	if (writev(c->fd, parts, 3) != (ssize_t)whole) {
		l->failed++;
		close(c->fd);
		return;
	}
	l->under_way++;
}

static bool
may_send(const struct load *l, uint64_t now)
{
	if (l->under_way >= l->active || l->idle == NULL || now >= l->end_ns)
		return false;
	if (l->once && l->next_token >= l->token_count)
		return false;
	return l->rate <= 0 || (double)(now - l->begin_ns) * l->rate >= (double)l->issued * 1e9;
}

/* Bytes of the whole answer, 0 if it is not all there yet, -1 if it is none. */
static long
answer_length(const struct connection *c)
{
	const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
	const char *length = strcasestr(c->answer, "\r\ncontent-length:");

	if (end == NULL)
		return c->got < ANSWER_MAX - 1 ? 0 : -1;
	if (length == NULL || length > end)
		return -1;
	return end + 4 - c->answer + atol(length + 17);
}

static void
look_into(struct load *l, const struct connection *c)
{
	const char *found = strstr(c->answer, l->text);
	size_t n;

	if (found == NULL || strncmp(c->answer + 9, "200", 3) != 0) {
		l->wrong++;
		return;
	}
	found += strlen(l->text);
	n = strcspn(found, "\"");
	if (l->last[n] == '\0' && memcmp(l->last, found, n) == 0)
		return;
	l->changed += l->last[0] != '\0';
	memcpy(l->last, found, n);
	l->last[n] = '\0';
}

static void
finish(struct load *l, struct connection *c)
{
	if (l->text != NULL)
		look_into(l, c);
	l->last_ns = now_ns();
	if (l->samples < SAMPLES_MAX)
		l->latencies_us[l->samples++] = (uint32_t)((l->last_ns - c->due_ns) / 1000);
	l->bytes += c->got;
	l->over_399 += c->answer[9] >= '4';
	l->under_way--;
	put_idle(l, c);
}

static void
receive(struct load *l, struct connection *c)
{
	ssize_t n = read(c->fd, c->answer + c->got, ANSWER_MAX - 1 - c->got);
	long whole;

	if (n > 0) {
		c->got += (unsigned)n;
		c->answer[c->got] = '\0';
		whole = answer_length(c);
		if (whole == 0 || whole > (long)c->got)
			return;
		if (whole == (long)c->got) {
			finish(l, c);
			return;
		}
	}
	l->failed++;
	l->under_way--;
	close(c->fd);
}

static void
wait_some(struct load *l, uint64_t now)
{
	struct timespec span = { 0, 100000000 };
	struct epoll_event events[EVENTS];
	double due = (double)l->begin_ns + (double)l->issued * 1e9 / (l->rate > 0 ? l->rate : 1);
	int n, count;

	if (l->rate > 0 && l->under_way < l->active && now < l->end_ns)
		span.tv_nsec = due > (double)now ? (long)(due - (double)now) % 100000000 : 0;
	count = epoll_pwait2(l->epoll, events, EVENTS, &span, NULL);
	for (n = 0; n < count; n++)
		receive(l, events[n].data.ptr);
}

static void
run(struct load *l)
{
	uint64_t now;

	l->begin_ns = l->last_ns = now_ns();
	l->end_ns = l->begin_ns + (uint64_t)l->seconds * 1000000000;
	for (;;) {
		now = now_ns();
		while (may_send(l, now))
			send_one(l);
		if (l->under_way == 0 && (now >= l->end_ns || l->idle == NULL ||
		    (l->once && l->next_token >= l->token_count)))
			return;
		if (now > l->end_ns + DRAIN_NS)
			break;
		wait_some(l, now);
	}
	l->failed += (uint64_t)l->under_way;
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static unsigned
percentile(const struct load *l, double share)
{
	return l->samples == 0 ? 0 : l->latencies_us[(uint64_t)(share * (double)(l->samples - 1))];
}

static void
tell(const struct load *l)
{
	qsort(l->latencies_us, l->samples, sizeof(*l->latencies_us), by_size);
	printf("result {\"requests\":%lu,\"duration_us\":%lu,\"bytes\":%lu,\"p50_us\":%u,"
	    "\"p99_us\":%u,\"p999_us\":%u,\"max_us\":%u,\"failed\":%lu,\"over_399\":%lu,"
	    "\"wrong\":%lu,\"changed\":%lu,\"chosen\":%lu}\n",
	    l->samples, (l->last_ns - l->begin_ns) / 1000, l->bytes, percentile(l, 0.5),
	    percentile(l, 0.99), percentile(l, 0.999), percentile(l, 1), l->failed, l->over_399,
	    l->wrong, l->changed, l->chosen);
}

static void
read_options(struct load *l, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "p:u:q:c:a:d:r:t:m:o:x:1")) != -1)
		switch (option) {
		case 'p': l->port = atoi(optarg); break;
		case 'u': l->path = optarg; break;
		case 'q': l->request = optarg; break;
		case 'c': l->connections = atoi(optarg); break;
		case 'a': l->active = atoi(optarg); break;
		case 'd': l->seconds = atoi(optarg); break;
		case 'r': l->rate = atof(optarg); break;
		case 't': l->file = optarg; break;
		case 'm': l->most_tokens = strtoull(optarg, NULL, 10); break;
		case 'o': l->next_token = strtoull(optarg, NULL, 10); break;
		case 'x': l->text = optarg; break;
		case '1': l->once = true; break;
		default: exit(2);
		}
	if (l->port <= 0 || (l->path == NULL) == (l->request == NULL) || l->connections <= 0 ||
	    l->active <= 0 || l->seconds <= 0) {
		fputs("load -p PORT -u PATH | -q REQUEST -c CONNECTIONS -a ACTIVE -d SECONDS "
		    "[-r RATE] [-t FILE [-m TOKENS] [-1 [-o FIRST]]] [-x TEXT]\n", stderr);
		exit(2);
	}
}

static void
make_get(struct load *l)
{
	static char end[] = "\r\n\r\n";

	l->head_length = (size_t)snprintf(l->head, sizeof(l->head), "GET %s HTTP/1.1\r\n"
	    "Host: 127.0.0.1:%d%s", l->path, l->port,
	    l->file != NULL ? "\r\nAuthorization: Bearer " : "");
	if (l->head_length >= sizeof(l->head))
		die("path");
	l->tail = end;
	l->tail_length = strlen(end);
}

static void
read_request(struct load *l)
{
	FILE *f = fopen(l->request, "r");
	size_t n = f == NULL ? 0 : fread(l->head, 1, sizeof(l->head) - 1, f);
	char *gap = strstr(l->head, "{}");

	if (n == 0 || n == sizeof(l->head) - 1)
		die(l->request);
	fclose(f);
	if ((gap == NULL) != (l->file == NULL)) {
		fputs("a request with {} needs a file of what it stands for, and no other does\n",
		    stderr);
		exit(2);
	}
	l->head_length = gap == NULL ? n : (size_t)(gap - l->head);
	l->tail = l->head + (gap == NULL ? n : l->head_length + 2);
	l->tail_length = n - (size_t)(l->tail - l->head);
}

int
main(int argc, char **argv)
{
	static struct load l;

	l.seed = now_ns() | 1;
	read_options(&l, argc, argv);
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	if (l.file != NULL)
		open_tokens(&l);
	if (l.request != NULL)
		read_request(&l);
	else
		make_get(&l);
	if (l.text != NULL && l.file != NULL) {
		l.was_chosen = calloc(l.token_count, sizeof(*l.was_chosen));
		if (l.was_chosen == NULL)
			die("memory");
	}
	connect_all(&l);
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	run(&l);
	tell(&l);
	return 0;
}
