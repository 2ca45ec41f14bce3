/*
 * Revokes live subject tokens while others load the gateway, and measures how long what is revoked
 * is still accepted. For each subject token of the pool's class `s`, so many a second:
 *
 *	1. exchanges it, and calls a route with the new token: both must pass
 *	2. revokes it, and asks for more exchanges of it at the same time
 *	3. as soon as the revocation is answered: exchanges it again, and calls the route with the
 *	   new token, on connections of their own, several at a time
 *	4. calls the route with the tokens that came of step 2
 *
 * Nothing that was begun after the answer to the revocation may be accepted.
 *
 *	exchange_revoke -p PORT -f POOL -w WORDS -u PATH -r RATE -d SECONDS
 *
 * Says "ready", and waits for a line. The result is a line of JSON: how many were revoked, what of
 * 3 and 4 was refused and accepted, and for each the microseconds from the revocation's answer to
 * the first refusal.
 */
#include <poll.h>

#include "exchange.h"

#define RACING		4	/* exchanges under way during the revocation */
#define AFTER		4	/* exchanges, and calls, right after it */
#define ANSWER_MAX	8192
#define PATIENCE_MS	5000
#define TIMES_MAX	100000

/* A connection, and the one request that it carries at a time. */
struct link {
	int		 fd, status;	/* 0: not answered yet */
	unsigned	 got;
	uint64_t	 answered_ns;
	char		 answer[ANSWER_MAX];
};

struct revoker {
	const char	*pool_file, *words_file, *path;
	int		 port;
	double		 rate, seconds;
	struct pool	 pool;
	struct words	 words;
	uint64_t	 seed;
	struct link	 first, revocation, racing[RACING], exchanges[AFTER], calls[AFTER];
	struct link	 late[RACING];
	uint64_t	 revoked, refused, accepted, raced, raced_refused, raced_accepted, failed;
	unsigned	 times_us[TIMES_MAX];
};

static void
begin(struct link *l, const char *request, size_t n)
{
	l->status = 0;
	l->got = 0;
	if (send(l->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
}

static void
take(struct link *l)
{
	ssize_t n = read(l->fd, l->answer + l->got, ANSWER_MAX - 1 - l->got);
	long whole;

	if (n <= 0)
		die("a connection was closed");
	l->got += (unsigned)n;
	l->answer[l->got] = '\0';
	whole = answer_length(l->answer, l->got, ANSWER_MAX - 1);
	if (whole < 0 || whole > (long)ANSWER_MAX - 1)
		die("an answer without an end");
	if (whole > 0 && whole <= (long)l->got) {
		l->answered_ns = now_ns();
		l->status = atoi(l->answer + 9);
	}
}

/* Reads from all of them until `until` (or, if that is NULL, each) has its answer. */
static void
await(struct link **links, size_t n, const struct link *until)
{
	for (;;) {
		struct pollfd fds[64];
		size_t open = 0, of[64];

		for (size_t i = 0; i < n; i++)
			if (links[i]->status == 0) {
				of[open] = i;
				fds[open++] = (struct pollfd){ links[i]->fd, POLLIN, 0 };
			}
		if (open == 0 || (until != NULL && until->status != 0))
			return;
		if (poll(fds, open, PATIENCE_MS) <= 0)
			die("no answer");
		for (size_t i = 0; i < open; i++)
			if (fds[i].revents != 0)
				take(links[of[i]]);
	}
}

static void
begin_exchange(struct revoker *v, struct link *l, uint32_t subject)
{
	const struct asked asked = { .subject = subject };
	char request[BODY_MAX + 1024];

	begin(l, request, make_exchange(&v->words, &v->pool, &asked, request));
}

static void
begin_revocation(struct revoker *v, uint32_t subject)
{
	const struct subject *s = &v->pool.all[subject];
	char request[BODY_MAX + 1024], form[BODY_MAX];
	int n = snprintf(form, sizeof(form), "token=%.*s", s->token_n, s->token);

	begin(&v->revocation, request, make_post(&v->words, "revoke", form, (size_t)n, request));
}

static void
begin_call(struct revoker *v, struct link *l, const char *token)
{
	char request[ANSWER_MAX];
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	    "Authorization: Bearer %s\r\n\r\n", v->path, token);

	begin(l, request, (size_t)n);
}

/* The token in an answer; NULL if there is none. In memory that the next call reuses. */
static const char *
token_of(const struct link *l)
{
	static const char name[] = "\"access_token\":\"";
	static char token[ANSWER_MAX];
	const char *at = l->status == 200 ? strstr(l->answer, name) : NULL;

	if (at == NULL)
		return NULL;
	at += sizeof(name) - 1;
	snprintf(token, sizeof(token), "%.*s", (int)strcspn(at, "\""), at);
	return token;
}

/* True if it was refused since it is revoked; counted as a failure if it was something else. */
static bool
is_refused(struct revoker *v, const struct link *l, int status)
{
	bool refused = l->status == status && strstr(l->answer, "the token is revoked") != NULL;

	if (!refused && l->status != 200) {
		fprintf(stderr, "wrong: %.500s\n", l->answer);
		v->failed++;
	}
	return refused;
}

/* What was begun after the answer to the revocation. */
static void
count_after(struct revoker *v)
{
	uint64_t first_ns = UINT64_MAX;

	for (int i = 0; i < 2 * AFTER; i++) {
		const struct link *l = i < AFTER ? &v->exchanges[i] : &v->calls[i - AFTER];
		bool refused = is_refused(v, l, i < AFTER ? 400 : 401);

		v->refused += refused;
		v->accepted += l->status == 200;
		if (refused && l->answered_ns < first_ns)
			first_ns = l->answered_ns;
	}
	if (first_ns != UINT64_MAX && v->revoked < TIMES_MAX)
		v->times_us[v->revoked] =
		    (unsigned)((first_ns - v->revocation.answered_ns) / 1000);
}

/* Tokens that came of exchanges during the revocation are refused after it. */
static void
try_raced(struct revoker *v)
{
	struct link *links[RACING];
	size_t n = 0;

	for (int i = 0; i < RACING; i++) {
		const char *token = token_of(&v->racing[i]);

		if (token != NULL) {
			begin_call(v, &v->late[n], token);
			links[n] = &v->late[n];
			n++;
		} else
			is_refused(v, &v->racing[i], 400);
	}
	await(links, n, NULL);
	for (size_t i = 0; i < n; i++) {
		v->raced++;
		v->raced_refused += is_refused(v, links[i], 401);
		v->raced_accepted += links[i]->status == 200;
	}
}

/* Steps 2 to 4. */
static void
revoke_one(struct revoker *v, uint32_t subject, const char *token)
{
	struct link *links[1 + RACING + 2 * AFTER];
	size_t n = 0;

	for (int i = 0; i < RACING; i++) {
		if (i == RACING / 2) {
			begin_revocation(v, subject);
			links[n++] = &v->revocation;
		}
		begin_exchange(v, &v->racing[i], subject);
		links[n++] = &v->racing[i];
	}
	await(links, n, &v->revocation);
	if (v->revocation.status != 200) {
		fprintf(stderr, "wrong: %.500s\n", v->revocation.answer);
		v->failed++;
		await(links, n, NULL);
		return;
	}
	for (int i = 0; i < AFTER; i++) {
		begin_exchange(v, &v->exchanges[i], subject);
		links[n++] = &v->exchanges[i];
		begin_call(v, &v->calls[i], token);
		links[n++] = &v->calls[i];
	}
	await(links, n, NULL);
	count_after(v);
	try_raced(v);
	v->revoked++;
}

static void
try_one(struct revoker *v, uint32_t subject)
{
	struct link *first = &v->first;
	char token[ANSWER_MAX];
	const char *made;

	begin_exchange(v, first, subject);
	await(&first, 1, NULL);
	made = token_of(first);
	if (made != NULL) {
		strcpy(token, made);
		begin_call(v, first, token);
		await(&first, 1, NULL);
	}
	if (made == NULL || first->status != 200) {
		fprintf(stderr, "wrong: %.500s\n", first->answer);
		v->failed++;
		return;
	}
	revoke_one(v, subject, token);
}

static void
connect_all(struct revoker *v)
{
	v->first.fd = connect_to(v->port);
	v->revocation.fd = connect_to(v->port);
	for (int i = 0; i < RACING; i++) {
		v->racing[i].fd = connect_to(v->port);
		v->late[i].fd = connect_to(v->port);
	}
	for (int i = 0; i < AFTER; i++) {
		v->exchanges[i].fd = connect_to(v->port);
		v->calls[i].fd = connect_to(v->port);
	}
}

static void
run(struct revoker *v)
{
	uint64_t begin_ns = now_ns(), now, due_ns;

	for (uint32_t i = 0; i < v->pool.n_of[SPARE]; i++) {
		due_ns = begin_ns + (uint64_t)(i * 1e9 / v->rate);
		if ((double)(due_ns - begin_ns) > v->seconds * 1e9)
			return;
		while ((now = now_ns()) < due_ns)
			poll(NULL, 0, (int)((due_ns - now) / 1000000) + 1);
		if ((double)(now - begin_ns) > v->seconds * 1e9)
			return;
		try_one(v, v->pool.of[SPARE][i]);
	}
}

static void
tell(const struct revoker *v)
{
	printf("result {\"revoked\":%lu,\"refused\":%lu,\"accepted\":%lu,\"raced\":%lu,"
	    "\"raced_refused\":%lu,\"raced_accepted\":%lu,\"failed\":%lu,\"times_us\":[",
	    v->revoked, v->refused, v->accepted, v->raced, v->raced_refused, v->raced_accepted,
	    v->failed);
	for (uint64_t i = 0; i < v->revoked && i < TIMES_MAX; i++)
		printf("%s%u", i == 0 ? "" : ",", v->times_us[i]);
	puts("]}");
}

static void
read_options(struct revoker *v, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "p:f:w:u:r:d:")) != -1)
		switch (option) {
		case 'p': v->port = atoi(optarg); break;
		case 'f': v->pool_file = optarg; break;
		case 'w': v->words_file = optarg; break;
		case 'u': v->path = optarg; break;
		case 'r': v->rate = atof(optarg); break;
		case 'd': v->seconds = atof(optarg); break;
		default: exit(2);
		}
	if (v->port <= 0 || v->pool_file == NULL || v->words_file == NULL || v->path == NULL ||
	    v->rate <= 0 || v->seconds <= 0) {
		fputs("exchange_revoke -p PORT -f POOL -w WORDS -u PATH -r RATE -d SECONDS\n",
		    stderr);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static struct revoker v;

	v.seed = now_ns() | 1;
	read_options(&v, argc, argv);
	pool_open(&v.pool, v.pool_file);
	words_open(&v.words, v.words_file);
	connect_all(&v);
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	run(&v);
	tell(&v);
	return 0;
}
