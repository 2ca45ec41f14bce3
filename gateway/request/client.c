/*
 * A connection is in one of three states:
 *
 *	READING		waits for a head, or for the rest of one
 *	SERVING		a request runs; the connection does what the request asks of its carrier
 *	LINGERING	the last answer is sent and our side is shut; what still comes is thrown
 *			away, lest closing resets the connection before the client has read it
 *
 * A worker that drains answers the next request of each connection with `Connection: close`, and
 * closes one only after DRAIN_QUIET_MS without a byte, so a request that is already on its way is
 * not lost.
 */
#include "gateway/request/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/http/out.h"
#include "gateway/request/carrier.h"
#include "gateway/request/refuse.h"

#define LINGER_MS		2000
#define DRAIN_QUIET_MS		2000
#define DISCARD_MAX		((uint64_t)64 * 1024)	/* of a body nobody wanted */
#define REQUESTS_PER_TURN	16	/* then other connections come first */

static void
dig(void *client)
{
	free(client);
}

void
client_close(struct client *c)
{
	struct gate *g = c->gate;

	if (c->grave.dig != NULL)
		return;
	/* an answer that breaks off must not look whole */
	if (c->request != NULL && c->request->answer_begun && c->request->phase != REQUEST_ENDED)
		wire_reset(&c->wire);
	request_free(&c->request);
	inbox_fini(&c->in);
	wire_close(&c->wire);
	task_end(g->loop, &c->task);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	g->n_clients--;
	loop_bury(g->loop, &c->grave, dig, c);
}

struct client *
client_next(const struct client *c)
{
	return c->next;
}

static void
wait_until(struct client *c, uint64_t deadline_ms)
{
	task_deadline(c->gate->loop, &c->task, deadline_ms);
}

/* When a connection without a head under way closes. */
static uint64_t
idle_deadline(const struct client *c)
{
	const struct config_client *limits = &c->gate->config->client;

	/* it has not read its last answer yet */
	if (wire_owes(&c->wire))
		return c->quiet_since_ms + limits->send_timeout_ms;
	if (c->gate->draining)
		return c->quiet_since_ms + DRAIN_QUIET_MS;
	return c->quiet_since_ms +
	    (c->served == 0 ? limits->header_timeout_ms : limits->idle_timeout_ms);
}

void
client_drain(struct client *c)
{
	uint64_t now_ms = loop_now_ms(c->gate->loop);

	if (c->state != CLIENT_READING || inbox_bytes(&c->in).n > 0)
		return;
	if (c->quiet_since_ms + DRAIN_QUIET_MS < now_ms)
		c->quiet_since_ms = now_ms;	/* a last moment for what is on its way */
	wait_until(c, idle_deadline(c));
}

static void
linger(struct client *c)
{
	wire_shutdown(&c->wire);
	inbox_fini(&c->in);
	c->state = CLIENT_LINGERING;
	c->linger_until_ms = loop_now_ms(c->gate->loop) + LINGER_MS;
	wait_until(c, c->linger_until_ms);
}

/* Throws away what still comes; true while the connection is to stay. */
static bool
run_lingering(struct client *c)
{
	char bin[4096];
	ssize_t got;

	for (int i = 0; i < 16; i++) {
		got = wire_read(&c->wire, bin, sizeof(bin));
		if (got <= 0)
			break;
	}
	if (got > 0)
		task_wake(c->gate->loop, &c->task);
	else if (got != WIRE_AGAIN)
		return false;
	return loop_now_ms(c->gate->loop) < c->linger_until_ms;
}

/* Makes a request of the head in the first n bytes; with a fault, of the refusal. */
static bool
begin_request(struct client *c, enum head_fault fault, size_t n)
{
	struct gate *g = c->gate;
	struct request *r = request_new(g, &http1_carrier, c, &c->task);

	if (r == NULL)
		return false;
	c->request = r;
	c->state = CLIENT_SERVING;
	c->served++;
	c->asked = false;
	r->peer = r->client = span_make(c->peer, c->peer_len);
	r->peer_trusted = c->trusted;
	if (fault == HEAD_FINE) {
		struct span bytes = { inbox_bytes(&c->in).p, n };

		fault = head_parse_request(&r->head, bytes, &g->limits, r->head.fields);
	}
	carrier_begin(c, fault == HEAD_FINE ? n : 0);
	if (fault != HEAD_FINE) {
		r->must_close = true;
		r->head.target = SPAN("");
		refuse_because(r, REFUSE_HEAD, (struct refuse_more){
			.status = head_fault_status(fault), .sentence = head_fault_text(fault),
			.allow = fault == HEAD_METHOD_REFUSED || fault == HEAD_METHOD
			    ? SPAN("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") : SPAN("") });
	}
	return true;
}

/* The head takes too long, or nothing came in time. */
static bool
read_too_late(struct client *c)
{
	uint64_t now_ms = loop_now_ms(c->gate->loop);
	bool begun = inbox_bytes(&c->in).n > 0;
	uint64_t deadline_ms = begun
	    ? c->head_since_ms + c->gate->config->client.header_timeout_ms : idle_deadline(c);

	if (now_ms < deadline_ms) {
		wait_until(c, deadline_ms);
		return true;
	}
	if (!begun || !begin_request(c, HEAD_SYNTAX, 0))
		return false;
	refuse(c->request, REFUSE_HEAD_TIMEOUT);
	return true;
}

/* Reads until a head is there: false closes the connection. */
static bool
run_reading(struct client *c)
{
	for (;;) {
		struct span bytes = inbox_bytes(&c->in);
		size_t end = 0;

		if (bytes.n > 0) {
			enum head_fault fault = head_scan(&c->scan, bytes, &c->gate->limits, &end);

			if (fault != HEAD_FINE || end > 0)
				return begin_request(c, fault, end);
		}
		ssize_t got = inbox_fill(&c->in, &c->wire);
		if (got == WIRE_AGAIN) {
			if (inbox_bytes(&c->in).n == 0)
				inbox_fini(&c->in);
			return read_too_late(c);
		}
		if (got < 0)
			return false;
		if (bytes.n == 0)
			c->head_since_ms = loop_now_ms(c->gate->loop);
	}
}

/* Reads past what is left of the request's body: RUN_FAIL if that is not worth while. */
static enum run
discard_body(struct client *c)
{
	struct request *r = c->request;
	struct span piece;
	enum run run;

	while ((run = http1_carrier.read_body(r, &piece)) == RUN_DONE && piece.n > 0)
		if ((c->discarded += piece.n) > DISCARD_MAX)
			return RUN_FAIL;
	return run;
}

/*
 * True if nothing can come after this request: the client said so itself and has sent no more. Then
 * closing can't reset the connection under its answer.
 */
static bool
has_said_goodbye(const struct client *c)
{
	const struct request *r = c->request;

	return r->head.target.n > 0 && !r->head.keep_alive && r->body_read &&
	    inbox_bytes(&c->in).n == 0 && !(c->wire.watch.ready & READY_READ);
}

/*
 * Lets the kernel have all of the last answer: only then can the connection be shut without
 * cutting it.
 */
static enum run
hand_over(struct client *c)
{
	uint64_t deadline_ms = c->write_since_ms + c->gate->config->client.send_timeout_ms;

	if (wire_settle(&c->wire))
		return RUN_DONE;
	if (!wire_owes(&c->wire) || loop_now_ms(c->gate->loop) >= deadline_ms)
		return RUN_FAIL;
	wait_until(c, deadline_ms);
	return RUN_WAIT;
}

/* The request is over: on to the next, or to the end of the connection. False closes it now. */
static bool
finish_request(struct client *c)
{
	struct request *r = c->request;
	enum run run;

	if (r->must_reset) {
		wire_reset(&c->wire);
		return false;
	}
	if (!r->must_close) {
		if ((run = discard_body(c)) == RUN_WAIT) {
			wait_until(c, r->deadline_ms);
			return true;
		}
		r->must_close = run == RUN_FAIL;
	}
	if (r->must_close && (run = hand_over(c)) != RUN_DONE)
		return run == RUN_WAIT;
	bool close = r->must_close, goodbye = has_said_goodbye(c);
	request_free(&c->request);
	if (close) {
		if (goodbye)
			return false;
		linger(c);
		return run_lingering(c);
	}
	inbox_next(&c->in);
	c->scan = (struct head_scan){ 0 };
	c->state = CLIENT_READING;
	c->quiet_since_ms = c->head_since_ms = loop_now_ms(c->gate->loop);
	return true;
}

static bool
run_serving(struct client *c)
{
	struct request *r = c->request;

	switch (request_run(r)) {
	case RUN_WAIT:
		wait_until(c, r->deadline_ms);
		return true;
	case RUN_DONE:
		return finish_request(c);
	case RUN_FAIL:
		break;
	}
	return false;
}

static void
run(struct loop *loop, struct task *task)
{
	struct client *c = (struct client *)((char *)task - offsetof(struct client, task));
	bool stay = true;

	for (unsigned served = c->served; stay; ) {
		enum client_state before = c->state;
		unsigned count = c->served;

		switch (c->state) {
		case CLIENT_READING:
			stay = run_reading(c);
			break;
		case CLIENT_SERVING:
			stay = run_serving(c);
			break;
		case CLIENT_LINGERING:
			stay = run_lingering(c);
			break;
		}
		if (c->state == before && c->served == count)
			break;		/* waits */
		if (c->served - served >= REQUESTS_PER_TURN) {
			task_wake(loop, task);
			break;
		}
	}
	if (!stay)
		client_close(c);
}

/* The client's address as text. */
static size_t
put_peer(char out[INET6_ADDRSTRLEN], const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN);
	else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out, INET6_ADDRSTRLEN);
	else if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, INET6_ADDRSTRLEN);
	else
		memcpy(out, "unix", 5);
	return strlen(out);
}

void
client_open(struct gate *g, int fd, const struct sockaddr_storage *address)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	task_init(&c->task, run);
	c->gate = g;
	inbox_init(&c->in, &g->blocks);
	if (!wire_open(&c->wire, g->loop, fd, &c->task)) {
		free(c);
		return;
	}
	c->peer_len = (uint8_t)put_peer(c->peer, address);
	c->trusted = trusted_contains(g->config, span_make(c->peer, c->peer_len));
	c->quiet_since_ms = loop_now_ms(g->loop);
	c->next = g->clients;
	c->link = &g->clients;
	if (c->next != NULL)
		c->next->link = &c->next;
	g->clients = c;
	g->n_clients++;
	wait_until(c, idle_deadline(c));
	/* the request is often there already: look at once */
	c->wire.watch.ready = READY_READ | READY_WRITE;
	task_wake(g->loop, &c->task);
}
