/*
 * The load of the token exchange's benchmark: requests due at fixed times whatever the answers do,
 * a subject token and words by chance for each, a verdict on each answer, and every answer with a
 * token kept for exchange_check.c. One thread, one epoll set.
 *
 *	exchange_load -p PORT -f POOL -w WORDS -o ANSWERS -c CONNECTIONS [-r RATE] [-v]
 *	    [-u WARM_UP_S] [-a RAMP_S] -d SECONDS
 *
 * Says "ready" and waits for a line on its input, then sends 50 a second for WARM_UP_S, more and
 * more for RAMP_S, and RATE for SECONDS, which is what is measured; "begins" and "ends" tell when,
 * so that the caller can read clocks. Without -r each connection sends its next request when it has
 * its answer, from the ramp on. Latency counts from when a request was due, whether or not a
 * connection was free to send it; what is overdue is sent as soon as one is, DRAIN_NS after the end
 * at the latest: `unsent` tells what was due and not sent even then.
 *
 * Seven requests of ten have a valid subject token, with an actor or without; one each has an
 * expired one, a forged one, a revoked one. They are chosen among all of the pool or, with -v,
 * among the same four of each connection (a virtual user).
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "exchange.h"

#define ANSWER_MAX	8192
#define SAMPLES_MAX	(8u << 20)
#define KEPT_MAX	(8ull << 30)		/* bytes of answers; pages are taken as they fill */
#define DRAIN_NS	5000000000ull
#define WARM_UP_RATE	50.0
#define TOLD_MAX	5			/* wrong answers that are shown */
#define EVENTS		256

struct connection {
	int			 fd;
	unsigned		 user, got;
	bool			 measured;
	uint64_t		 due_ns;
	time_t			 sent_s;
	struct asked		 asked;
	struct connection	*next;
	char			 answer[ANSWER_MAX];
};

struct verdicts {
	uint64_t	right, wrong;
};

struct load {
	const char		*pool_file, *words_file, *answers_file;
	int			 port, connections;
	double			 rate, warm_up_s, ramp_s, plateau_s;
	bool			 users;

	struct pool		 pool;
	struct words		 words;
	uint32_t		*good, n_good;	/* valid subjects, with an actor or without */
	uint64_t		 seed;

	int			 epoll, under_way;
	struct connection	*all, *idle, **idle_end;

	uint64_t		 begin_ns, ramp_ns, plateau_ns, end_ns, last_ns;
	double			 due_ns;	/* of the next request */
	uint64_t		 samples, failed, unsent, told, cpu_us;
	uint32_t		*latencies_us;
	struct verdicts		 verdicts[CLASSES];
	char			*kept;
	uint64_t		 n_kept;
};

/* What a refusal of each class has to say, beside 400 and invalid_request. */
static const char *const reasons[CLASSES] = {
	[EXPIRED] = "subject_token: the token is expired",
	[FORGED] = "subject_token: the token's signature is wrong",
	[REVOKED] = "subject_token: the token is revoked",
};

static const char *const names[CLASSES] = {
	"valid", "with_actor", "expired", "forged", "revoked", "spare",
};

static void
find_good(struct load *l)
{
	l->good = calloc(l->pool.count, sizeof(*l->good));
	if (l->good == NULL)
		die("memory");
	for (uint32_t i = 0; i < l->pool.count; i++)
		if (l->pool.all[i].class <= ACTOR)
			l->good[l->n_good++] = i;
	if (l->n_good == 0 || l->pool.n_of[EXPIRED] == 0 || l->pool.n_of[FORGED] == 0 ||
	    l->pool.n_of[REVOKED] == 0)
		die("the pool lacks a class");
}

static uint32_t
pick_subject(struct load *l, const struct connection *c)
{
	static const uint8_t bad[] = { EXPIRED, FORGED, REVOKED };
	uint64_t which = chance(&l->seed) % 10;
	const uint32_t *list = l->good;
	uint32_t n = l->n_good;

	if (which >= 7) {
		list = l->pool.of[bad[which - 7]];
		n = l->pool.n_of[bad[which - 7]];
	}
	return list[(l->users ? c->user : chance(&l->seed)) % n];
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
prepare(struct load *l)
{
	pool_open(&l->pool, l->pool_file);
	words_open(&l->words, l->words_file);
	find_good(l);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->all = calloc((size_t)l->connections, sizeof(*l->all));
	l->latencies_us = calloc(SAMPLES_MAX, sizeof(*l->latencies_us));
	l->kept = mmap(NULL, KEPT_MAX, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->epoll < 0 || l->all == NULL || l->latencies_us == NULL || l->kept == MAP_FAILED)
		die("memory");
	l->idle_end = &l->idle;
	for (int i = 0; i < l->connections; i++) {
		struct connection *c = &l->all[i];
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

		c->user = (unsigned)i;
		c->fd = connect_to(l->port);
		if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
		    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
			die("epoll_ctl");
		put_idle(l, c);
	}
}

/* Requests a second at this time; 0: as many as are answered. */
static double
rate_at(const struct load *l, double at_ns)
{
	if (at_ns < (double)l->ramp_ns)
		return WARM_UP_RATE;
	if (l->rate == 0 || at_ns >= (double)l->plateau_ns)
		return l->rate;
	return WARM_UP_RATE + (l->rate - WARM_UP_RATE) * (at_ns - (double)l->ramp_ns) /
	    (double)(l->plateau_ns - l->ramp_ns);
}

static bool
may_send(const struct load *l, uint64_t now)
{
	if (l->idle == NULL || now >= l->end_ns + DRAIN_NS)
		return false;
	if (rate_at(l, l->due_ns) == 0)
		return now < l->end_ns;
	return l->due_ns <= (double)now && l->due_ns < (double)l->end_ns;
}

static void
send_one(struct load *l, uint64_t now)
{
	struct connection *c = take_idle(l);
	double rate = rate_at(l, l->due_ns);
	char request[BODY_MAX + 1024];
	size_t n;

	c->due_ns = rate == 0 ? now : (uint64_t)l->due_ns;
	/* those that have no due time begin anew with each */
	l->due_ns = rate == 0 ? (double)now : l->due_ns + 1e9 / rate;
	c->measured = c->due_ns >= l->plateau_ns;
	c->asked = ask_by_chance(&l->pool, pick_subject(l, c), &l->seed);
	c->sent_s = time(NULL);
	c->got = 0;
	n = make_exchange(&l->words, &l->pool, &c->asked, request);
	/* one request is under way on a connection at most, so the socket has room for it */
	if (send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) {
		l->failed++;
		close(c->fd);
		return;
	}
	l->under_way++;
}

/* Keeps an answer with a token, and what was asked, as a line. */
static void
keep(struct load *l, const struct connection *c, const char *body, size_t n)
{
	const struct asked *a = &c->asked;

	if (l->n_kept + n + 128 > KEPT_MAX)
		die("too many answers");
	while (n > 0 && body[n - 1] == '\n')
		n--;
	l->n_kept += (uint64_t)sprintf(l->kept + l->n_kept, "%u %u %u %u %lld ", a->subject,
	    a->scope, a->audience, a->resource, (long long)c->sent_s);
	memcpy(l->kept + l->n_kept, body, n);
	l->n_kept += n;
	l->kept[l->n_kept++] = '\n';
}

static void
judge(struct load *l, const struct connection *c)
{
	enum class class = l->pool.all[c->asked.subject].class;
	const char *body = strstr(c->answer, "\r\n\r\n") + 4;
	bool issued = strncmp(c->answer + 9, "200", 3) == 0;
	bool right = reasons[class] == NULL ? issued :
	    strncmp(c->answer + 9, "400", 3) == 0 &&
	    strstr(body, "\"invalid_request\"") != NULL && strstr(body, reasons[class]) != NULL;

	if (issued)
		keep(l, c, body, (size_t)(c->answer + c->got - body));
	l->verdicts[class].right += right;
	l->verdicts[class].wrong += !right;
	if (!right && l->told++ < TOLD_MAX)
		fprintf(stderr, "wrong: %s: %.*s %.300s\n", names[class],
		    12, c->answer, issued ? "a token" : body);
}

static void
finish(struct load *l, struct connection *c)
{
	uint64_t now = now_ns();

	if (c->measured) {
		l->last_ns = now;
		if (l->samples < SAMPLES_MAX)
			l->latencies_us[l->samples++] = (uint32_t)((now - c->due_ns) / 1000);
	}
	judge(l, c);
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
		whole = answer_length(c->answer, c->got, ANSWER_MAX - 1);
		if (whole == 0 || whole > (long)c->got)
			return;
		if (whole == (long)c->got && c->got > 16) {
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
	struct timespec span = { 0, 50000000 };
	struct epoll_event events[EVENTS];
	int count;

	if (l->idle != NULL && l->due_ns < (double)l->end_ns && rate_at(l, l->due_ns) > 0 &&
	    l->due_ns - (double)now < 50e6)
		span.tv_nsec = l->due_ns > (double)now ? (long)(l->due_ns - (double)now) : 0;
	count = epoll_pwait2(l->epoll, events, EVENTS, &span, NULL);
	for (int i = 0; i < count; i++)
		receive(l, events[i].data.ptr);
}

static void
say(const char *word)
{
	puts(word);
	fflush(stdout);
}

static uint64_t
own_cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
run(struct load *l)
{
	bool begun = false;
	uint64_t now;

	l->begin_ns = now_ns();
	l->ramp_ns = l->begin_ns + (uint64_t)(l->warm_up_s * 1e9);
	l->plateau_ns = l->ramp_ns + (uint64_t)(l->ramp_s * 1e9);
	l->end_ns = l->plateau_ns + (uint64_t)(l->plateau_s * 1e9);
	l->due_ns = (double)l->begin_ns;
	for (;;) {
		now = now_ns();
		if (!begun && now >= l->plateau_ns) {
			begun = true;
			l->cpu_us = own_cpu_us();
			say("begins");
		}
		while (may_send(l, now))
			send_one(l, now);
		if (now >= l->end_ns + 2 * DRAIN_NS)
			break;
		if (now >= l->end_ns && l->under_way == 0 && !may_send(l, now))
			break;
		wait_some(l, now);
	}
	say("ends");
	l->cpu_us = own_cpu_us() - l->cpu_us;
	l->failed += (uint64_t)l->under_way;
	if (l->rate > 0 && l->due_ns < (double)l->end_ns)
		l->unsent = (uint64_t)(((double)l->end_ns - l->due_ns) * l->rate / 1e9);
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
	uint64_t span_us = l->samples == 0 ? 0 : (l->last_ns - l->plateau_ns) / 1000;

	qsort(l->latencies_us, l->samples, sizeof(*l->latencies_us), by_size);
	printf("result {\"requests\":%lu,\"duration_us\":%lu,\"failed\":%lu,\"unsent\":%lu,"
	    "\"p50_us\":%u,\"p95_us\":%u,\"p99_us\":%u,\"max_us\":%u,\"cpu_us\":%lu,"
	    "\"verdicts\":{", l->samples, span_us, l->failed, l->unsent, percentile(l, 0.5),
	    percentile(l, 0.95), percentile(l, 0.99), percentile(l, 1), l->cpu_us);
	for (int i = 0; i < SPARE; i++)
		printf("%s\"%s\":{\"right\":%lu,\"wrong\":%lu}", i == 0 ? "" : ",", names[i],
		    l->verdicts[i].right, l->verdicts[i].wrong);
	puts("}}");
}

static void
write_answers(const struct load *l)
{
	FILE *f = fopen(l->answers_file, "w");

	if (f == NULL || fwrite(l->kept, 1, l->n_kept, f) != l->n_kept || fclose(f) != 0)
		die(l->answers_file);
}

static void
read_options(struct load *l, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "p:f:w:o:c:r:vu:a:d:")) != -1)
		switch (option) {
		case 'p': l->port = atoi(optarg); break;
		case 'f': l->pool_file = optarg; break;
		case 'w': l->words_file = optarg; break;
		case 'o': l->answers_file = optarg; break;
		case 'c': l->connections = atoi(optarg); break;
		case 'r': l->rate = atof(optarg); break;
		case 'v': l->users = true; break;
		case 'u': l->warm_up_s = atof(optarg); break;
		case 'a': l->ramp_s = atof(optarg); break;
		case 'd': l->plateau_s = atof(optarg); break;
		default: exit(2);
		}
	if (l->port <= 0 || l->pool_file == NULL || l->words_file == NULL ||
	    l->answers_file == NULL || l->connections <= 0 || l->plateau_s <= 0) {
		fputs("exchange_load -p PORT -f POOL -w WORDS -o ANSWERS -c CONNECTIONS "
		    "[-r RATE] [-v] [-u WARM_UP_S] [-a RAMP_S] -d SECONDS\n", stderr);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static struct load l;

	l.seed = now_ns() | 1;
	read_options(&l, argc, argv);
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	prepare(&l);
	say("ready");
	if (getchar() == EOF)
		return 1;
	run(&l);
	tell(&l);
	write_answers(&l);
	return 0;
}
