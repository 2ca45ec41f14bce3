/*
 * States follow each other as in an exchange: resolve, connect, handshake, send, receive; a
 * redirect goes back to connect, an address that does not answer goes on to the next one. A
 * state's function says WAIT, FAIL, or DONE to go on with f->state.
 *
 * The descriptor in `want` may be registered under its number in somebody's loop. So a new one is
 * always opened before the old one is closed (the numbers differ), and after that the run ends
 * with WAIT even if the connection has failed already (only one change per run).
 */
#include "gateway/http/fetch.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/reply.h"
#include "gateway/http/resolve.h"
#include "gateway/http/stream.h"
#include "gateway/http/url.h"

enum fetch_state {
	FETCH_BEGIN,
	FETCH_RESOLVE,
	FETCH_CONNECT,
	FETCH_HANDSHAKE,
	FETCH_SEND,
	FETCH_RECEIVE,
	FETCH_DONE,
	FETCH_FAILED,
};

struct fetch {
	enum fetch_state	 state;
	struct want		 want;
	struct fetch_result	 result;
	uint64_t		 deadline_ms;
	uint64_t		 connect_ms;		/* this address has until then */
	bool			 follows;		/* redirects */
	unsigned		 redirects_left;
	struct url		 url;
	struct resolve		*resolve;
	struct resolve_answer	 addresses;
	size_t			 next_address;
	struct stream		 stream;
	SSL_CTX			*tls;
	char			*out;			/* the request as sent */
	size_t			 out_n;
	size_t			 out_size;
	size_t			 sent;
	char			*accept;
	char			*ca_file;
	char			*authorization;
	char			*form;
	size_t			 form_n;
	struct reply		 reply;
	char			 reason[256];
};

static enum run fail(struct fetch *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum run
fail(struct fetch *f, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(f->reason, sizeof(f->reason), format, ap);
	va_end(ap);
	f->result.reason = f->reason;
	f->state = FETCH_FAILED;
	return RUN_FAIL;
}

static enum run
wait_for(struct fetch *f, int fd, short events, uint64_t deadline_ms)
{
	f->want = (struct want){ fd, events, deadline_ms };
	return RUN_WAIT;
}

/* A copy of an optional string; false when there is no memory. */
static bool
keep(char **to, const char *string)
{
	if (string == NULL || *string == '\0')
		return true;
	*to = strdup(string);
	return *to != NULL;
}

struct fetch *
fetch_begin(const struct fetch_request *request, uint64_t now_ms)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->stream = STREAM_CLOSED;
	f->deadline_ms = now_ms + request->timeout_ms;
	f->follows = request->redirects > 0;
	f->redirects_left = request->redirects < FETCH_REDIRECTS_MAX ? request->redirects :
	    FETCH_REDIRECTS_MAX;
	f->form_n = request->form.n;
	f->out_size = URL_TARGET_MAX + URL_HOST_MAX + 1024 + f->form_n +
	    (request->accept == NULL ? 0 : strlen(request->accept)) +
	    (request->authorization == NULL ? 0 : strlen(request->authorization));
	f->out = malloc(f->out_size);
	f->form = f->form_n == 0 ? NULL : malloc(f->form_n);
	if (f->out == NULL || (f->form_n > 0 && f->form == NULL) ||
	    !keep(&f->accept, request->accept) || !keep(&f->ca_file, request->ca_file) ||
	    !keep(&f->authorization, request->authorization)) {
		fetch_end(&f);
		return NULL;
	}
	if (f->form_n > 0)
		memcpy(f->form, request->form.p, f->form_n);
	reply_init(&f->reply, request->max_bytes);
	if (request->address != NULL) {
		f->addresses = (struct resolve_answer){ .n = 1 };
		memcpy(&f->addresses.addresses[0].address, request->address, request->address_len);
		f->addresses.addresses[0].len = request->address_len;
	}
	if (!url_parse(&f->url, span_of(request->url)))
		fail(f, "the URL is not an absolute http or https URL");
	return f;
}

static void
put(struct fetch *f, const char *a, const char *b, const char *c)
{
	f->out_n += (size_t)snprintf(f->out + f->out_n, f->out_size - f->out_n, "%s%s%s", a, b, c);
}

/* Writes the request; fetch_begin() made room for the longest one. */
static void
write_request(struct fetch *f)
{
	char length[32];

	f->out_n = f->sent = 0;
	put(f, f->form_n > 0 ? "POST " : "GET ", f->url.target, " HTTP/1.1\r\n");
	put(f, "Host: ", f->url.authority, "\r\nUser-Agent: gatehouse/" GATEHOUSE_VERSION "\r\n");
	put(f, "Accept: ", f->accept == NULL ? "*/*" : f->accept, "\r\nConnection: close\r\n");
	if (f->authorization != NULL)
		put(f, "Authorization: ", f->authorization, "\r\n");
	if (f->form_n > 0) {
		snprintf(length, sizeof(length), "%zu", f->form_n);
		put(f, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ",
		    length, "\r\n");
	}
	put(f, "\r\n", "", "");
	if (f->form_n > 0)
		memcpy(f->out + f->out_n, f->form, f->form_n);
	f->out_n += f->form_n;
}

/* Opens a connection to the next address, and only then lets the old descriptor go. */
static enum run
open_next(struct fetch *f, uint64_t now_ms)
{
	struct resolve_address *address = &f->addresses.addresses[f->next_address];
	uint64_t left = f->addresses.n - f->next_address++;
	struct stream fresh;

	if (!stream_connect(&fresh, (struct sockaddr *)&address->address, address->len))
		return fail(f, "no socket: %s", strerror(errno));
	stream_close(&f->stream);
	resolve_end(&f->resolve);
	f->stream = fresh;
	f->connect_ms = now_ms + (f->deadline_ms - now_ms) / left;
	f->state = FETCH_CONNECT;
	return wait_for(f, fresh.fd, POLLOUT, f->connect_ms);
}

static enum run
begin(struct fetch *f, uint64_t now_ms)
{
	const char *reason;

	if (f->url.https && f->tls == NULL &&
	    (f->tls = stream_tls_context(f->ca_file, &reason)) == NULL)
		return fail(f, "cannot load trusted certificates: %s", reason);
	if (f->addresses.n > 0) {
		write_request(f);
		return open_next(f, now_ms);
	}
	f->resolve = resolve_begin(f->url.host, f->url.port);
	if (f->resolve == NULL)
		return fail(f, "cannot resolve %s: %s", f->url.host, strerror(errno));
	f->state = FETCH_RESOLVE;
	return RUN_DONE;
}

static enum run
resolve(struct fetch *f, uint64_t now_ms)
{
	const char *reason;

	switch (resolve_run(f->resolve, &f->addresses, &reason)) {
	case RUN_WAIT:
		return wait_for(f, resolve_fd(f->resolve), POLLIN, f->deadline_ms);
	case RUN_FAIL:
		return fail(f, "cannot resolve %s: %s", f->url.host, reason);
	case RUN_DONE:
		break;
	}
	write_request(f);
	return open_next(f, now_ms);
}

static enum run
connecting(struct fetch *f, uint64_t now_ms)
{
	switch (stream_connected(&f->stream)) {
	case RUN_WAIT:
		if (now_ms < f->connect_ms)
			return wait_for(f, f->stream.fd, POLLOUT, f->connect_ms);
		f->stream.error = ETIMEDOUT;
		break;
	case RUN_FAIL:
		break;
	case RUN_DONE:
		f->state = f->url.https ? FETCH_HANDSHAKE : FETCH_SEND;
		if (f->url.https && !stream_start_tls(&f->stream, f->tls, f->url.host,
		    f->url.ip_literal))
			return fail(f, "there is no memory for TLS");
		return RUN_DONE;
	}
	if (f->next_address < f->addresses.n)
		return open_next(f, now_ms);
	return fail(f, "cannot connect to %s port %s: %s", f->url.host, f->url.port,
	    strerror(f->stream.error));
}

static enum run
handshake(struct fetch *f)
{
	const char *reason;

	switch (stream_handshake(&f->stream, &reason)) {
	case RUN_WAIT:
		return wait_for(f, f->stream.fd, f->stream.events, f->deadline_ms);
	case RUN_FAIL:
		return fail(f, "TLS with %s failed: %s", f->url.authority, reason);
	case RUN_DONE:
		f->state = FETCH_SEND;
		break;
	}
	return RUN_DONE;
}

static enum run
transmit(struct fetch *f)
{
	size_t n;

	switch (stream_write(&f->stream, f->out + f->sent, f->out_n - f->sent, &n)) {
	case RUN_WAIT:
		return wait_for(f, f->stream.fd, f->stream.events, f->deadline_ms);
	case RUN_FAIL:
		return fail(f, "the connection to %s broke", f->url.authority);
	case RUN_DONE:
		f->sent += n;
		if (f->sent == f->out_n)
			f->state = FETCH_RECEIVE;
		break;
	}
	return RUN_DONE;
}

static bool
is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Goes on to where a redirect leads, if that is the same server; a form is never sent twice. */
static enum run
redirect(struct fetch *f, uint64_t now_ms)
{
	struct url to;

	if (f->redirects_left-- == 0)
		return fail(f, "the server redirects too often");
	if (f->form_n > 0)
		return fail(f, "the server redirects a POST");
	if (!url_follow(&to, &f->url, f->reply.location) || !url_same_origin(&to, &f->url))
		return fail(f, "the server redirects to another server, which is not followed");
	f->url = to;
	f->next_address--;		/* the address that answered */
	write_request(f);
	reply_fini(&f->reply);
	reply_init(&f->reply, f->reply.body_max);
	return open_next(f, now_ms);
}

static enum run
finish(struct fetch *f, uint64_t now_ms)
{
	if (f->follows && is_redirect(f->reply.status))
		return redirect(f, now_ms);
	f->result.status = f->reply.status;
	f->result.body = span_make(f->reply.body, f->reply.body_n);
	f->state = FETCH_DONE;
	return RUN_DONE;
}

static enum run
receive(struct fetch *f, uint64_t now_ms)
{
	char bytes[16 * 1024];
	enum reply_state state;
	size_t n;

	switch (stream_read(&f->stream, bytes, sizeof(bytes), &n)) {
	case RUN_WAIT:
		return wait_for(f, f->stream.fd, f->stream.events, f->deadline_ms);
	case RUN_FAIL:
		return fail(f, "the connection to %s broke", f->url.authority);
	case RUN_DONE:
		break;
	}
	state = n == 0 ? reply_eof(&f->reply) : reply_feed(&f->reply, span_make(bytes, n));
	if (state == REPLY_BAD)
		return fail(f, "%s", f->reply.reason);
	return state == REPLY_WHOLE ? finish(f, now_ms) : RUN_DONE;
}

static enum run
step(struct fetch *f, uint64_t now_ms)
{
	switch (f->state) {
	case FETCH_BEGIN:
		return begin(f, now_ms);
	case FETCH_RESOLVE:
		return resolve(f, now_ms);
	case FETCH_CONNECT:
		return connecting(f, now_ms);
	case FETCH_HANDSHAKE:
		return handshake(f);
	case FETCH_SEND:
		return transmit(f);
	case FETCH_RECEIVE:
		return receive(f, now_ms);
	case FETCH_DONE:
		return RUN_DONE;
	case FETCH_FAILED:
		break;
	}
	return RUN_FAIL;
}

/* What it was about when its time ran out. */
static const char *
doing(const struct fetch *f)
{
	switch (f->state) {
	case FETCH_RESOLVE:
		return "resolving the host";
	case FETCH_CONNECT:
		return "connecting";
	case FETCH_HANDSHAKE:
		return "shaking hands for TLS";
	case FETCH_BEGIN:
	case FETCH_SEND:
	case FETCH_RECEIVE:
	case FETCH_DONE:
	case FETCH_FAILED:
		break;
	}
	return "waiting for the answer";
}

enum run
fetch_run(struct fetch *f, uint64_t now_ms)
{
	enum run run = RUN_DONE;

	while (f->state != FETCH_DONE && run == RUN_DONE) {
		if (f->state != FETCH_FAILED && now_ms >= f->deadline_ms)
			return fail(f, "timed out while %s", doing(f));
		run = step(f, now_ms);
	}
	return run;
}

const struct want *
fetch_want(const struct fetch *f)
{
	return &f->want;
}

const struct fetch_result *
fetch_result(const struct fetch *f)
{
	return &f->result;
}

static void
drop(char *p, size_t n)
{
	if (p != NULL)
		OPENSSL_cleanse(p, n);
	free(p);
}

void
fetch_end(struct fetch **f)
{
	if (*f == NULL)
		return;
	resolve_end(&(*f)->resolve);
	stream_close(&(*f)->stream);
	SSL_CTX_free((*f)->tls);
	reply_fini(&(*f)->reply);
	free((*f)->accept);
	free((*f)->ca_file);
	drop((*f)->authorization, (*f)->authorization == NULL ? 0 : strlen((*f)->authorization));
	drop((*f)->form, (*f)->form_n);
	drop((*f)->out, (*f)->out_size);
	free(*f);
	*f = NULL;
}
