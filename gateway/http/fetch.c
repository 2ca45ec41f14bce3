/*
 * The exchange: get a connection (dial.c), send, receive. A redirect goes on over the same
 * connection where it can, else over another. A stage's function says WAIT, FAIL, or DONE to go on
 * with f->stage.
 *
 * Without a pool a fetch has one to itself, which keeps nothing.
 */
#include "gateway/http/fetch.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/http/dial.h"
#include "gateway/http/fetch_pool.h"
#include "gateway/http/reply.h"
#include "gateway/http/url.h"

enum fetch_stage {
	FETCH_DIAL,
	FETCH_SEND,
	FETCH_RECEIVE,
	FETCH_DONE,
	FETCH_FAILED,
};

struct fetch {
	enum fetch_stage	 stage;
	struct want		 want;
	struct fetch_result	 result;
	uint64_t		 began_ms;
	uint64_t		 deadline_ms;
	uint64_t		 ran_ms;		/* the time of the last run */
	bool			 follows;		/* redirects */
	unsigned		 redirects_left;
	struct url		 url;
	struct fetch_pool	*pool;
	bool			 own_pool;
	struct origin		*origin;		/* NULL: the URL can't be used */
	struct dial		 dial;
	bool			 heard;			/* bytes of an answer have come */
	char			*out;			/* the request as sent */
	size_t			 out_n;
	size_t			 out_size;
	size_t			 sent;
	char			*accept;
	char			*authorization;
	char			*form;
	size_t			 form_n;
	char			 reason[256];
	struct reply		 reply;
};

static enum run fail(struct fetch *f, enum fetch_failure failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum run
fail(struct fetch *f, enum fetch_failure failure, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(f->reason, sizeof(f->reason), format, ap);
	va_end(ap);
	f->result.reason = f->reason;
	f->result.failure = failure;
	f->stage = FETCH_FAILED;
	return RUN_FAIL;
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

/* Copies what of the request is needed to write it. */
static bool
keep_request(struct fetch *f, const struct fetch_request *request)
{
	f->form_n = request->form.n;
	f->out_size = URL_TARGET_MAX + URL_HOST_MAX + 1024 + f->form_n +
	    (request->accept == NULL ? 0 : strlen(request->accept)) +
	    (request->authorization == NULL ? 0 : strlen(request->authorization));
	f->out = malloc(f->out_size);
	f->form = f->form_n == 0 ? NULL : malloc(f->form_n);
	if (f->out == NULL || (f->form_n > 0 && f->form == NULL) ||
	    !keep(&f->accept, request->accept) || !keep(&f->authorization, request->authorization))
		return false;
	if (f->form_n > 0)
		memcpy(f->form, request->form.p, f->form_n);
	return true;
}

/* Takes a place in the pool, or makes one for this fetch alone. */
static bool
enter(struct fetch *f, const struct fetch_request *request)
{
	static const struct fetch_pool_limits alone = { .in_flight = 1,
		.addresses_ms = 3600000 };

	must(request->pool == NULL || request->address == NULL);
	f->own_pool = request->pool == NULL;
	f->pool = f->own_pool ? fetch_pool_new(NULL, &alone) : request->pool;
	if (f->pool == NULL)
		return false;
	f->origin = fetch_pool_enter(f->pool, &f->url,
	    request->ca_file == NULL ? "" : request->ca_file);
	if (f->origin == NULL)
		return false;
	if (request->address != NULL)
		origin_set_address(f->origin, request->address, request->address_len);
	dial_init(&f->dial, f->origin, f->deadline_ms);
	return true;
}

struct fetch *
fetch_begin(const struct fetch_request *request, uint64_t now_ms)
{
	struct fetch *f = malloc(sizeof(*f));
	int error;

	if (f == NULL)
		return NULL;
	memset(f, 0, offsetof(struct fetch, reply));
	f->began_ms = now_ms;
	f->deadline_ms = now_ms + request->timeout_ms;
	f->follows = request->redirects > 0 && request->form.n == 0;
	f->redirects_left = request->redirects < FETCH_REDIRECTS_MAX ? request->redirects :
	    FETCH_REDIRECTS_MAX;
	reply_init(&f->reply, request->max_bytes);
	if (!url_parse(&f->url, span_of(request->url))) {
		fail(f, FETCH_UNUSABLE, "the URL is not an absolute http or https URL");
		return f;
	}
	if (enter(f, request) && keep_request(f, request))
		return f;
	error = errno;
	fetch_end(&f);
	errno = error;
	return NULL;
}

static void
put(struct fetch *f, const char *a, const char *b, const char *c)
{
	f->out_n += (size_t)snprintf(f->out + f->out_n, f->out_size - f->out_n, "%s%s%s", a, b, c);
}

/* Writes the request; keep_request() made room for the longest one. */
static void
write_request(struct fetch *f)
{
	char length[32];

	f->out_n = f->sent = 0;
	put(f, f->form_n > 0 ? "POST " : "GET ", f->url.target, " HTTP/1.1\r\n");
	put(f, "Host: ", f->url.authority, "\r\nUser-Agent: gatehouse/" GATEHOUSE_VERSION "\r\n");
	put(f, "Accept: ", f->accept == NULL ? "*/*" : f->accept, "\r\n");
	if (f->own_pool)
		put(f, "Connection: close\r\n", "", "");
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

/* A connection there could not be: why, for programs. */
static enum fetch_failure
dial_failure(const struct dial *d)
{
	switch (d->state) {
	case DIAL_RESOLVE:
		return FETCH_NO_ADDRESS;
	case DIAL_CONNECT:
		return FETCH_NOT_CONNECTED;
	case DIAL_HANDSHAKE:
		return FETCH_NOT_TRUSTED;
	case DIAL_BEGIN:
	case DIAL_FRESH:
	case DIAL_OPEN:
		break;
	}
	return FETCH_UNUSABLE;
}

static enum run
connect_to(struct fetch *f, uint64_t now_ms)
{
	switch (dial_run(&f->dial, now_ms)) {
	case RUN_WAIT:
		f->want = f->dial.want;
		return RUN_WAIT;
	case RUN_FAIL:
		return fail(f, dial_failure(&f->dial), "%s", f->dial.reason);
	case RUN_DONE:
		break;
	}
	write_request(f);
	f->stage = FETCH_SEND;
	return RUN_DONE;
}

/* Waits for what the connection is waiting for. */
static enum run
wait_on_stream(struct fetch *f)
{
	const struct stream *s = &f->dial.link.stream;

	f->want = (struct want){ s->fd, s->events, f->deadline_ms };
	return RUN_WAIT;
}

/*
 * The connection has come to an end. If it was a kept one and nothing has been heard, it may have
 * ended before we came.
 */
static enum run
broke(struct fetch *f, const char *reason)
{
	if (!f->dial.reused || f->heard)
		return fail(f, FETCH_BROKEN, "%s", reason);
	f->origin->counts->retried++;
	reply_fini(&f->reply);
	reply_init(&f->reply, f->reply.body_max);
	dial_again(&f->dial);
	f->stage = FETCH_DIAL;
	return RUN_DONE;
}

static enum run
stream_broke(struct fetch *f)
{
	char reason[sizeof(f->reason)];

	snprintf(reason, sizeof(reason), "the connection to %.200s broke", f->url.authority);
	return broke(f, reason);
}

static enum run
transmit(struct fetch *f)
{
	size_t n;

	switch (stream_write(&f->dial.link.stream, f->out + f->sent, f->out_n - f->sent, &n)) {
	case RUN_WAIT:
		return wait_on_stream(f);
	case RUN_FAIL:
		return stream_broke(f);
	case RUN_DONE:
		f->sent += n;
		if (f->sent == f->out_n)
			f->stage = FETCH_RECEIVE;
		break;
	}
	return RUN_DONE;
}

static bool
is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Goes on to where a redirect leads, if that is the same server. */
static enum run
redirect(struct fetch *f)
{
	struct url to;

	if (f->redirects_left-- == 0)
		return fail(f, FETCH_BAD_ANSWER, "the server redirects too often");
	if (!url_follow(&to, &f->url, f->reply.location) || !url_same_origin(&to, &f->url))
		return fail(f, FETCH_BAD_ANSWER,
		    "the server redirects to another server, which is not followed");
	f->url = to;
	f->heard = false;
	f->dial.reused = true;
	if (!f->reply.reusable || f->own_pool)
		dial_again(&f->dial);
	reply_fini(&f->reply);
	reply_init(&f->reply, f->reply.body_max);
	f->stage = FETCH_DIAL;
	return RUN_DONE;
}

static enum run
finish(struct fetch *f)
{
	/* a server may say goodbye to an idle connection with 408 (RFC 9110 section 15.5.9) */
	if (f->reply.status == 408 && f->dial.reused) {
		f->heard = false;
		return broke(f, "");
	}
	if (f->follows && is_redirect(f->reply.status))
		return redirect(f);
	f->result.status = f->reply.status;
	f->result.body = span_make(f->reply.body, f->reply.body_n);
	f->stage = FETCH_DONE;
	return RUN_DONE;
}

static enum run
receive(struct fetch *f)
{
	char bytes[16 * 1024];
	enum reply_state state;
	size_t n;

	switch (stream_read(&f->dial.link.stream, bytes, sizeof(bytes), &n)) {
	case RUN_WAIT:
		return wait_on_stream(f);
	case RUN_FAIL:
		return stream_broke(f);
	case RUN_DONE:
		break;
	}
	state = n == 0 ? reply_eof(&f->reply) : reply_feed(&f->reply, span_make(bytes, n));
	if (n == 0 && state == REPLY_BAD)
		return broke(f, f->reply.reason);
	f->heard = true;
	if (state == REPLY_BAD)
		return fail(f, FETCH_BAD_ANSWER, "%s", f->reply.reason);
	return state == REPLY_WHOLE ? finish(f) : RUN_DONE;
}

static enum run
step(struct fetch *f, uint64_t now_ms)
{
	switch (f->stage) {
	case FETCH_DIAL:
		return connect_to(f, now_ms);
	case FETCH_SEND:
		return transmit(f);
	case FETCH_RECEIVE:
		return receive(f);
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
	switch (f->dial.state) {
	case DIAL_RESOLVE:
		return "resolving the host";
	case DIAL_CONNECT:
		return "connecting";
	case DIAL_HANDSHAKE:
		return "shaking hands for TLS";
	case DIAL_BEGIN:
	case DIAL_FRESH:
	case DIAL_OPEN:
		break;
	}
	return "waiting for the answer";
}

static enum run
time_out(struct fetch *f)
{
	/* the way there may be cut without a sign, and then for all that were kept meanwhile */
	if (f->dial.reused && !f->heard)
		origin_suspect(f->origin, f->began_ms);
	return fail(f, FETCH_TIMED_OUT, "timed out while %s", doing(f));
}

enum run
fetch_run(struct fetch *f, uint64_t now_ms)
{
	enum run run = RUN_DONE;

	f->ran_ms = now_ms;
	while (f->stage != FETCH_DONE && run == RUN_DONE) {
		if (f->stage != FETCH_FAILED && now_ms >= f->deadline_ms)
			return time_out(f);
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

/* Gives back the connection, or closes it, and leaves the pool. */
static void
leave(struct fetch *f)
{
	bool done = f->stage == FETCH_DONE;

	if (f->origin != NULL) {
		if (done && f->reply.reusable && !f->own_pool)
			dial_keep(&f->dial, f->reply.idle_s, f->ran_ms);
		dial_fini(&f->dial, done);
		fetch_pool_leave(f->pool, f->origin);
	}
	if (f->own_pool)
		fetch_pool_free(&f->pool);
}

void
fetch_end(struct fetch **f)
{
	if (*f == NULL)
		return;
	leave(*f);
	reply_fini(&(*f)->reply);
	free((*f)->accept);
	drop((*f)->authorization, (*f)->authorization == NULL ? 0 : strlen((*f)->authorization));
	drop((*f)->form, (*f)->form_n);
	drop((*f)->out, (*f)->out_size);
	free(*f);
	*f = NULL;
}
