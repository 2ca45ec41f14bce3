/*
 * For tests of fetches that share connections: a server in a thread that keeps connections open,
 * answers each request with the next line of a script, and counts.
 */
#ifndef TESTS_UNIT_FETCH_SUPPORT_H
#define TESTS_UNIT_FETCH_SUPPORT_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/http/fetch.h"
#include "gateway/http/fetch_pool.h"
#include "tests/unit/certificate_support.h"
#include "tests/unit/suite.h"

#define OK_ANSWER	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HANG		"~"		/* no answer; the connection stays */
#define CLOSE		"!"		/* no answer, and the connection is closed */
#define PEERS_MAX	128

struct peer {
	int	 fd;
	SSL	*tls;
	char	 in[4096];
	size_t	 n;
};

/*
 * The last line of the script is for all further requests. A line that begins with CLOSE is an
 * answer after which the connection is closed.
 */
struct server {
	const char	*script[8];
	SSL_CTX		*tls;			/* NULL: plain */
	int		 port;
	atomic_int	 accepted, requests, resumed;
	char		 seen[4096];		/* the last request */
	int		 fd;
	int		 orders[2];
	pthread_t	 thread;
	struct peer	 peers[PEERS_MAX];
};

static inline void
peer_close(struct peer *p)
{
	if (p->tls != NULL)
		SSL_shutdown(p->tls);
	SSL_free(p->tls);
	close(p->fd);
	*p = (struct peer){ .fd = -1 };
}

static inline void
peer_say(struct peer *p, const char *text)
{
	if (p->tls != NULL)
		SSL_write(p->tls, text, (int)strlen(text));
	else
		(void)!send(p->fd, text, strlen(text), MSG_NOSIGNAL);
}

static inline void
server_accept(struct server *s)
{
	struct peer *p = s->peers;
	int on = 1;

	while (p->fd >= 0)
		p++;
	p->fd = accept(s->fd, NULL, NULL);
	if (p->fd < 0)
		return;
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	atomic_fetch_add(&s->accepted, 1);
	if (s->tls == NULL)
		return;
	p->tls = SSL_new(s->tls);
	SSL_set_fd(p->tls, p->fd);
	if (SSL_accept(p->tls) != 1)
		peer_close(p);
	else if (SSL_session_reused(p->tls))
		atomic_fetch_add(&s->resumed, 1);
}

/* Length of the request that has come whole; 0: it has not. */
static inline size_t
request_length(const char *in)
{
	const char *end = strstr(in, "\r\n\r\n"), *length = strstr(in, "Content-Length: ");
	size_t n;

	if (end == NULL)
		return 0;
	n = (size_t)(end - in) + 4 + (length == NULL ? 0 : strtoul(length + 16, NULL, 10));
	return strlen(in) < n ? 0 : n;
}

static inline void
server_answer(struct server *s, struct peer *p)
{
	int line = 0, number = atomic_fetch_add(&s->requests, 1);
	const char *text;

	while (line < number && s->script[line + 1] != NULL)
		line++;
	text = s->script[line];
	if (strcmp(text, HANG) == 0)
		return;
	peer_say(p, text[0] == CLOSE[0] ? text + 1 : text);
	if (text[0] == CLOSE[0])
		peer_close(p);
}

static inline void
server_hear(struct server *s, struct peer *p)
{
	size_t room = sizeof(p->in) - 1 - p->n;
	ssize_t got = p->tls != NULL ? SSL_read(p->tls, p->in + p->n, (int)room) :
	    recv(p->fd, p->in + p->n, room, 0);

	if (got <= 0) {
		peer_close(p);
		return;
	}
	p->n += (size_t)got;
	p->in[p->n] = '\0';
	if (request_length(p->in) == 0)
		return;
	memcpy(s->seen, p->in, p->n + 1);
	p->n = 0;
	server_answer(s, p);
}

/* 'c': close what is open; 'r': reset it; 's': say something unasked; 'q': quit. */
static inline bool
server_obey(struct server *s)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	char order = 'q';

	(void)!read(s->orders[1], &order, 1);
	for (struct peer *p = s->peers; p < s->peers + PEERS_MAX; p++) {
		if (p->fd < 0)
			continue;
		if (order == 'r') {
			setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
			SSL_free(p->tls);
			p->tls = NULL;
		}
		if (order == 's')
			peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
		else
			peer_close(p);
	}
	(void)!write(s->orders[1], &order, 1);
	return order != 'q';
}

static inline void *
server_main(void *argument)
{
	struct server *s = argument;
	struct pollfd p[PEERS_MAX + 2];

	for (;;) {
		p[0] = (struct pollfd){ s->orders[1], POLLIN, 0 };
		p[1] = (struct pollfd){ s->fd, POLLIN, 0 };
		for (int i = 0; i < PEERS_MAX; i++)
			p[i + 2] = (struct pollfd){ s->peers[i].fd, POLLIN, 0 };
		poll(p, PEERS_MAX + 2, -1);
		if (p[0].revents != 0 && !server_obey(s))
			return NULL;
		for (int i = 0; p[0].revents == 0 && i < PEERS_MAX; i++)
			if (p[i + 2].revents != 0)
				server_hear(s, &s->peers[i]);
		if (p[1].revents != 0)
			server_accept(s);
	}
}

static inline void
server_start(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < PEERS_MAX; i++)
		s->peers[i].fd = -1;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(s->fd, PEERS_MAX), 0);
	getsockname(s->fd, (struct sockaddr *)&a, &len);
	s->port = ntohs(a.sin_port);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->orders), 0);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, server_main, s), 0);
}

/* Returns when it is done. */
static inline void
server_order(struct server *s, char order)
{
	ck_assert_int_eq(write(s->orders[0], &order, 1), 1);
	ck_assert_int_eq(read(s->orders[0], &order, 1), 1);
}

/* What the server counts follows what the client sees. */
static inline void
eventually(atomic_int *count, int expected)
{
	uint64_t end_ms = clock_ms() + 5000;

	while (*count != expected && clock_ms() < end_ms)
		sched_yield();
	ck_assert_int_eq(*count, expected);
}

static inline void
server_stop(struct server *s)
{
	server_order(s, 'q');
	pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->orders[0]);
	close(s->orders[1]);
	SSL_CTX_free(s->tls);
}

/* Pulls fetches to their ends with plain poll(2), `skew_ms` ahead of the clock. */
static uint64_t skew_ms;

static inline uint64_t
test_ms(void)
{
	return clock_ms() + skew_ms;
}

static inline enum run
pull(struct fetch *f)
{
	for (;;) {
		enum run run = fetch_run(f, test_ms());
		const struct want *want = fetch_want(f);
		struct pollfd p = { want->fd, want->events, 0 };
		uint64_t now = test_ms();

		if (run != RUN_WAIT)
			return run;
		ck_assert_uint_ne(want->deadline_ms, 0);
		poll(&p, 1, want->deadline_ms > now ? (int)(want->deadline_ms - now) : 0);
	}
}

#endif
