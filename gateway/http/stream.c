#include "gateway/http/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

#include "gateway/base/clock.h"

/* What went wrong last in OpenSSL, in words. */
static const char *
tls_reason(const char *otherwise)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	ERR_clear_error();
	return reason == NULL ? otherwise : reason;
}

/*
 * The server gave a session. A copy is kept, since OpenSSL spoils one whose connection breaks. One
 * from a resumed handshake is not, or the certificate would be verified once and never again.
 */
static int
take_session(SSL *tls, SSL_SESSION *session)
{
	struct stream_trust *with = SSL_get_app_data(tls);
	SSL_SESSION *copy;

	if (SSL_session_reused(tls) || SSL_get_SSL_CTX(tls) != with->context ||
	    !SSL_SESSION_is_resumable(session) || (copy = SSL_SESSION_dup(session)) == NULL)
		return 0;
	SSL_SESSION_free(with->session);
	with->session = copy;
	return 0;
}

SSL_CTX *
stream_tls_context(const char *ca_file, const char **reason)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	bool own = ca_file != NULL && *ca_file != '\0';

	if (context == NULL ||
	    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    (own ? SSL_CTX_load_verify_file(context, ca_file) :
	    SSL_CTX_set_default_verify_paths(context)) != 1) {
		*reason = tls_reason("no trusted certificates");
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, take_session);
	return context;
}

bool
stream_connect(struct stream *s, const struct sockaddr *address, socklen_t len)
{
	int on = 1;

	*s = STREAM_CLOSED;
	s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return false;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, address, len) != 0 && errno != EINPROGRESS)
		s->error = errno;
	s->events = POLLOUT;
	return true;
}

enum run
stream_connected(struct stream *s)
{
	struct pollfd p = { s->fd, POLLOUT, 0 };
	socklen_t len = sizeof(s->error);

	if (s->error != 0)
		return RUN_FAIL;
	if (poll(&p, 1, 0) != 1)
		return RUN_WAIT;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &s->error, &len) != 0)
		s->error = errno;
	return s->error != 0 ? RUN_FAIL : RUN_DONE;
}

/* Offers the session to the server, or forgets it when it is too old. */
static void
offer_session(SSL *tls, struct stream_trust *with)
{
	int64_t age_s = clock_wall_s() - (int64_t)SSL_SESSION_get_time(with->session);
	SSL_SESSION *copy;

	if (age_s < 0 || age_s >= STREAM_SESSION_S) {
		SSL_SESSION_free(with->session);
		with->session = NULL;
		return;
	}
	/* a copy again: one that was used can't be offered again, and others connect meanwhile */
	copy = SSL_SESSION_dup(with->session);
	if (copy != NULL)
		(void)SSL_set_session(tls, copy);
	SSL_SESSION_free(copy);
}

bool
stream_start_tls(struct stream *s, struct stream_trust *with, const char *host, bool ip_literal)
{
	SSL *tls = SSL_new(with->context);
	bool named;

	if (tls == NULL)
		return false;
	SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (ip_literal)		/* no SNI for addresses, RFC 6066 section 3 */
		named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
	else
		named = SSL_set1_host(tls, host) == 1 &&
		    SSL_set_tlsext_host_name(tls, host) == 1;
	if (!named || SSL_set_fd(tls, s->fd) != 1) {
		SSL_free(tls);
		return false;
	}
	SSL_set_connect_state(tls);
	SSL_set_app_data(tls, with);
	if (with->session != NULL)
		offer_session(tls, with);
	s->tls = tls;
	return true;
}

/* Turns the return value of an SSL call that did not succeed into a struct want's terms. */
static enum run
tls_outcome(struct stream *s, int value)
{
	switch (SSL_get_error(s->tls, value)) {
	case SSL_ERROR_WANT_READ:
		s->events = POLLIN;
		return RUN_WAIT;
	case SSL_ERROR_WANT_WRITE:
		s->events = POLLOUT;
		return RUN_WAIT;
	default:
		return RUN_FAIL;
	}
}

enum run
stream_handshake(struct stream *s, const char **reason)
{
	enum run run;
	int value;

	ERR_clear_error();
	value = SSL_do_handshake(s->tls);
	if (value == 1)
		return RUN_DONE;
	run = tls_outcome(s, value);
	if (run == RUN_FAIL) {
		long verdict = SSL_get_verify_result(s->tls);

		*reason = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) :
		    tls_reason("the server closed the connection");
		ERR_clear_error();
	}
	return run;
}

static enum run
plain_outcome(struct stream *s, short events)
{
	s->events = events;
	return errno == EAGAIN || errno == EINTR ? RUN_WAIT : RUN_FAIL;
}

enum run
stream_write(struct stream *s, const void *p, size_t size, size_t *n)
{
	ssize_t sent;

	if (s->tls != NULL) {
		ERR_clear_error();
		int value = SSL_write_ex(s->tls, p, size, n);

		return value == 1 ? RUN_DONE : tls_outcome(s, value);
	}
	sent = send(s->fd, p, size, MSG_NOSIGNAL);
	if (sent < 0)
		return plain_outcome(s, POLLOUT);
	*n = (size_t)sent;
	return RUN_DONE;
}

enum run
stream_read(struct stream *s, void *p, size_t size, size_t *n)
{
	ssize_t got;

	if (s->tls != NULL) {
		ERR_clear_error();
		int value = SSL_read_ex(s->tls, p, size, n);

		if (value == 1)
			return RUN_DONE;
		*n = 0;
		return SSL_get_error(s->tls, value) == SSL_ERROR_ZERO_RETURN ? RUN_DONE :
		    tls_outcome(s, value);
	}
	got = recv(s->fd, p, size, 0);
	if (got < 0)
		return plain_outcome(s, POLLIN);
	*n = (size_t)got;
	return RUN_DONE;
}

bool
stream_is_under(const struct stream *s, const SSL_CTX *context)
{
	return s->tls == NULL || SSL_get_SSL_CTX(s->tls) == context;
}

bool
stream_resumed(const struct stream *s)
{
	return s->tls != NULL && SSL_session_reused(s->tls) == 1;
}

bool
stream_is_quiet(struct stream *s)
{
	char byte;
	size_t n;

	/* with TLS the bytes may be a new session, which is read by the way */
	if (s->tls != NULL)
		return stream_read(s, &byte, 1, &n) == RUN_WAIT && s->events == POLLIN;
	return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void
stream_end(struct stream *s)
{
	if (s->tls != NULL) {
		ERR_clear_error();
		(void)SSL_shutdown(s->tls);
		ERR_clear_error();
	}
	stream_close(s);
}

void
stream_close(struct stream *s)
{
	SSL_free(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	*s = STREAM_CLOSED;
}
