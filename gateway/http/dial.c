/*
 * The descriptor in `want` may be registered under its number in somebody's loop. So a new one is
 * always opened before the old one is closed (the numbers differ), and after that the run ends
 * with WAIT even if the connection has failed already (only one change per run).
 */
#include "gateway/http/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
dial_init(struct dial *d, struct origin *origin, uint64_t deadline_ms)
{
	d->state = DIAL_BEGIN;
	d->origin = origin;
	d->link.stream = STREAM_CLOSED;
	d->lookup_fd = -1;
	d->deadline_ms = deadline_ms;
}

static enum run fail(struct dial *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum run
fail(struct dial *d, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(d->reason, sizeof(d->reason), format, ap);
	va_end(ap);
	return RUN_FAIL;
}

static enum run
wait_for(struct dial *d, int fd, short events, uint64_t deadline_ms)
{
	d->want = (struct want){ fd, events, deadline_ms };
	return RUN_WAIT;
}

static void
end_lookup(struct dial *d)
{
	resolve_end(&d->lookup);
	if (d->lookup_fd >= 0)
		close(d->lookup_fd);
	d->lookup_fd = -1;
}

/* Opens a connection to the next address, and only then lets the old descriptor go. */
static enum run
open_next(struct dial *d, uint64_t now_ms)
{
	struct resolve_address *address = &d->addresses.addresses[d->next_address];
	uint64_t left = d->addresses.n - d->next_address++;
	struct stream fresh;

	if (!stream_connect(&fresh, (struct sockaddr *)&address->address, address->len))
		return fail(d, "no socket: %s", strerror(errno));
	stream_close(&d->link.stream);
	end_lookup(d);
	d->link = (struct kept){ .stream = fresh, .born_ms = now_ms };
	d->connect_ms = now_ms + (d->deadline_ms - now_ms) / left;
	d->state = DIAL_CONNECT;
	return wait_for(d, fresh.fd, POLLOUT, d->connect_ms);
}

static enum run
no_address(struct dial *d, const char *reason)
{
	d->state = DIAL_RESOLVE;
	return fail(d, "cannot resolve %s: %s", d->origin->url.host, reason);
}

static enum run
begin(struct dial *d, uint64_t now_ms)
{
	struct origin *o = d->origin;
	const char *reason;

	if (o->url.https && (d->trust = origin_trust(o, &reason)) == NULL)
		return fail(d, "cannot load trusted certificates: %s", reason);
	d->next_address = 0;
	switch (origin_addresses(o, now_ms, &d->addresses, &reason)) {
	case RUN_DONE:
		return open_next(d, now_ms);
	case RUN_FAIL:
		return no_address(d, reason);
	case RUN_WAIT:
		break;
	}
	d->lookup = origin_join(o, now_ms);
	if (d->lookup == NULL)
		return no_address(d, strerror(errno));
	/* others of the same loop may wait for it too, so each has a number of its own */
	if (resolve_fd(d->lookup) >= 0 &&
	    (d->lookup_fd = fcntl(resolve_fd(d->lookup), F_DUPFD_CLOEXEC, 0)) < 0)
		return no_address(d, strerror(errno));
	d->state = DIAL_RESOLVE;
	return RUN_DONE;
}

static enum run
lease(struct dial *d, uint64_t now_ms)
{
	d->reused = origin_lease(d->origin, now_ms, &d->link);
	d->state = d->reused ? DIAL_OPEN : DIAL_FRESH;
	return RUN_DONE;
}

static enum run
resolve(struct dial *d, uint64_t now_ms)
{
	const char *reason = NULL;
	enum run run = resolve_run(d->lookup, &d->addresses, &reason);

	if (run == RUN_WAIT)
		return wait_for(d, d->lookup_fd, POLLIN, d->deadline_ms);
	origin_learn(d->origin, d->lookup, &d->addresses, reason, now_ms);
	return run == RUN_FAIL ? no_address(d, reason) : open_next(d, now_ms);
}

static void
connected(struct dial *d)
{
	origin_reached(d->origin, &d->addresses.addresses[d->next_address - 1]);
	d->origin->counts->connected++;
	d->origin->counts->resumed += stream_resumed(&d->link.stream);
	d->state = DIAL_OPEN;
}

static enum run
connecting(struct dial *d, uint64_t now_ms)
{
	struct stream *s = &d->link.stream;
	const struct url *url = &d->origin->url;

	switch (stream_connected(s)) {
	case RUN_WAIT:
		if (now_ms < d->connect_ms)
			return wait_for(d, s->fd, POLLOUT, d->connect_ms);
		s->error = ETIMEDOUT;
		break;
	case RUN_FAIL:
		break;
	case RUN_DONE:
		if (!url->https)
			connected(d);
		else if (stream_start_tls(s, d->trust, url->host, url->ip_literal))
			d->state = DIAL_HANDSHAKE;
		else
			return fail(d, "there is no memory for TLS");
		return RUN_DONE;
	}
	if (d->next_address < d->addresses.n)
		return open_next(d, now_ms);
	return fail(d, "cannot connect to %s port %s: %s", url->host, url->port,
	    strerror(s->error));
}

static enum run
handshake(struct dial *d)
{
	struct stream *s = &d->link.stream;
	const char *reason;

	switch (stream_handshake(s, &reason)) {
	case RUN_WAIT:
		return wait_for(d, s->fd, s->events, d->deadline_ms);
	case RUN_FAIL:
		return fail(d, "TLS with %s failed: %s", d->origin->url.authority, reason);
	case RUN_DONE:
		connected(d);
		break;
	}
	return RUN_DONE;
}

static enum run
step(struct dial *d, uint64_t now_ms)
{
	switch (d->state) {
	case DIAL_BEGIN:
		return lease(d, now_ms);
	case DIAL_FRESH:
		return begin(d, now_ms);
	case DIAL_RESOLVE:
		return resolve(d, now_ms);
	case DIAL_CONNECT:
		return connecting(d, now_ms);
	case DIAL_HANDSHAKE:
		return handshake(d);
	case DIAL_OPEN:
		break;
	}
	return RUN_DONE;
}

enum run
dial_run(struct dial *d, uint64_t now_ms)
{
	enum run run = RUN_DONE;

	while (d->state != DIAL_OPEN && run == RUN_DONE)
		run = step(d, now_ms);
	return run;
}

void
dial_again(struct dial *d)
{
	d->reused = false;
	d->state = DIAL_FRESH;
}

void
dial_keep(struct dial *d, uint64_t theirs_s, uint64_t now_ms)
{
	origin_return(d->origin, &d->link, theirs_s, now_ms);
	d->link.stream = STREAM_CLOSED;
}

void
dial_fini(struct dial *d, bool good)
{
	end_lookup(d);
	/* while one shakes hands, it may also be another server's address by now */
	if (d->state == DIAL_CONNECT || d->state == DIAL_HANDSHAKE)
		origin_unreached(d->origin);
	if (good)
		stream_end(&d->link.stream);
	else
		stream_close(&d->link.stream);
}
