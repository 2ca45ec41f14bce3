#include "gateway/cli/audit_link.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

#include "gateway/base/clock.h"

#define READ_SIZE	16384
/* After one answer, how long a further one that may come is waited for. */
#define QUIET_MS	500

/* Waits for a descriptor; false when the time is up. */
static bool
wait_until(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = { fd, events, 0 };

	for (;;) {
		uint64_t now_ms = clock_ms();

		if (now_ms >= deadline_ms)
			return false;
		int n = poll(&p, 1, (int)(deadline_ms - now_ms));
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
	}
}

static const char *
find_addresses(struct audit_link *l)
{
	uint64_t deadline_ms = clock_ms() + l->timeout_ms;
	struct resolve *r = resolve_begin(l->url->host, l->url->port);
	const char *reason = "its name could not be looked up in time";
	enum run run;

	if (r == NULL)
		return "its name can't be looked up";
	while ((run = resolve_run(r, &l->addresses, &reason)) == RUN_WAIT &&
	    wait_until(resolve_fd(r), POLLIN, deadline_ms))
		;
	resolve_end(&r);
	return run == RUN_DONE && l->addresses.n > 0 ? NULL : reason;
}

const char *
link_open(struct audit_link *l, const struct url *url, const char *ca_file, bool insecure,
    uint64_t timeout_ms)
{
	const char *reason = NULL;

	*l = (struct audit_link){ .url = url, .timeout_ms = timeout_ms };
	if (url->https && (l->trust.context = stream_tls_context(ca_file, &reason)) == NULL)
		return reason;
	if (insecure && url->https)
		SSL_CTX_set_verify(l->trust.context, SSL_VERIFY_NONE, NULL);
	return find_addresses(l);
}

/* Connects to one address, and lays TLS over it; false with *reason. */
static bool
connect_to(struct audit_link *l, struct stream *s, size_t i, uint64_t deadline_ms,
    const char **reason)
{
	const struct resolve_address *to = &l->addresses.addresses[i];
	enum run run;

	*reason = "there was no connection in time";
	if (!stream_connect(s, (const struct sockaddr *)&to->address, to->len)) {
		*reason = strerror(errno);
		return false;
	}
	while ((run = stream_connected(s)) == RUN_WAIT &&
	    wait_until(s->fd, POLLOUT, deadline_ms))
		;
	if (run == RUN_FAIL)
		*reason = strerror(s->error);
	if (run != RUN_DONE || !l->url->https)
		return run == RUN_DONE;
	if (!stream_start_tls(s, &l->trust, l->url->host, l->url->ip_literal))
		return false;
	while ((run = stream_handshake(s, reason)) == RUN_WAIT &&
	    wait_until(s->fd, s->events, deadline_ms))
		;
	if (run == RUN_WAIT)
		*reason = "TLS was not ready in time";
	return run == RUN_DONE;
}

/* The first address that answers, and from then on always that one. */
static bool
dial(struct audit_link *l, struct stream *s, uint64_t deadline_ms, const char **reason)
{
	for (size_t i = 0; i < l->addresses.n; i++) {
		if (connect_to(l, s, i, deadline_ms, reason)) {
			l->addresses.addresses[0] = l->addresses.addresses[i];
			l->addresses.n = 1;
			return true;
		}
		stream_close(s);
	}
	return false;
}

/* Sends what it can: who answers early may have stopped reading. */
static void
send_all(struct stream *s, struct span bytes, uint64_t deadline_ms)
{
	size_t n;

	while (bytes.n > 0) {
		enum run run = stream_write(s, bytes.p, bytes.n, &n);

		if (run == RUN_FAIL)
			return;
		if (run == RUN_DONE)
			bytes = span_skip(bytes, n);
		else if (!wait_until(s->fd, s->events, deadline_ms))
			return;
	}
}

static void
receive(struct stream *s, struct span second, struct audit_answer *answer, uint64_t deadline_ms)
{
	char buffer[READ_SIZE];
	size_t n;

	for (;;) {
		enum run run = stream_read(s, buffer, sizeof(buffer), &n);
		uint64_t quiet_ms = clock_ms() + QUIET_MS, until_ms = deadline_ms;

		if (run == RUN_FAIL || (run == RUN_DONE && n == 0)) {
			answer_finish(answer, false);
			return;
		}
		if (run == RUN_DONE && !answer_feed(answer, span_make(buffer, n))) {
			answer_finish(answer, false);
			return;
		}
		if (answer->complete > 0 && second.n > 0) {
			send_all(s, second, deadline_ms);
			second.n = 0;
		}
		/* a server that sends for ever is left at the deadline as well */
		if (answer->complete > 0 && quiet_ms < until_ms)
			until_ms = quiet_ms;
		if (run == RUN_WAIT ? !wait_until(s->fd, s->events, until_ms) :
		    clock_ms() >= deadline_ms) {
			answer_finish(answer, true);
			return;
		}
	}
}

/* The next connection is to know nothing of this one. */
static void
forget_session(struct audit_link *l)
{
	SSL_SESSION_free(l->trust.session);
	l->trust.session = NULL;
}

void
link_exchange(struct audit_link *l, struct span request, struct span second,
    struct audit_answer *answer)
{
	uint64_t deadline_ms = clock_ms() + l->timeout_ms;
	struct stream s = STREAM_CLOSED;

	if (!dial(l, &s, deadline_ms, &answer->reason)) {
		answer->end = ANSWER_UNREACHABLE;
		return;
	}
	answer->reason = NULL;
	send_all(&s, request, deadline_ms);
	receive(&s, second, answer, deadline_ms);
	stream_close(&s);
	forget_session(l);
}

void
link_close(struct audit_link *l)
{
	forget_session(l);
	SSL_CTX_free(l->trust.context);
	*l = (struct audit_link){ 0 };
}
