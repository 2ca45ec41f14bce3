/*
 * A stream is a connected socket that this side opened, plain or with TLS over it.
 *
 * Calls never block; one that can't go on says RUN_WAIT and leaves in `events` what to poll for,
 * which with TLS can be the other direction than the one asked for. TLS means 1.2 or later, and a
 * peer whose certificate is trusted and names the host (RFC 9525). A TLS session may be kept for
 * the next connection to the same server under the same trust; only handshakes that verified the
 * certificate leave one, and it serves for STREAM_SESSION_S at most, so that a peer has to prove
 * itself anew now and then. The process must ignore SIGPIPE.
 */
#ifndef GATEWAY_HTTP_STREAM_H
#define GATEWAY_HTTP_STREAM_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "gateway/base/want.h"

struct stream {
	int	 fd;		/* -1: not open */
	int	 error;		/* errno of a connect that failed at once */
	short	 events;	/* after RUN_WAIT: POLLIN or POLLOUT */
	SSL	*tls;		/* NULL: plain */
};

/* What connections to one server have in common; it belongs to who keeps it. */
struct stream_trust {
	SSL_CTX			*context;
	struct ssl_session_st	*session;	/* made under this context; NULL: none yet */
};

#define STREAM_SESSION_S	3600

#define STREAM_CLOSED	((struct stream){ .fd = -1 })

/*
 * A TLS client's context that trusts the certificates of `ca_file`, or the system's for "" and
 * NULL. NULL if they can't be loaded; *reason then says why. Freed with SSL_CTX_free().
 */
SSL_CTX *stream_tls_context(const char *ca_file, const char **reason);

/*
 * Begins to connect; false (errno set) if there is no socket. stream_connected() tells how it
 * went.
 */
bool stream_connect(struct stream *s, const struct sockaddr *address, socklen_t len);
/* WAIT while connecting, then DONE, or FAIL with s->error set. */
enum run stream_connected(struct stream *s);
/*
 * Lays TLS over a connected stream, for this host name or address; false if there is no memory.
 * The session is offered, and replaced when the server gives another; `with` outlives the stream.
 */
bool stream_start_tls(struct stream *s, struct stream_trust *with, const char *host,
    bool ip_literal);
/*
 * Goes on with the handshake; FAIL gives *reason, a sentence that lives until the next OpenSSL
 * call.
 */
enum run stream_handshake(struct stream *s, const char **reason);
/* Writes some bytes, *n of them; FAIL when the connection is broken. */
enum run stream_write(struct stream *s, const void *p, size_t size, size_t *n);
/* Reads some bytes, *n of them; 0 at a proper end; FAIL when the connection is broken or cut. */
enum run stream_read(struct stream *s, void *p, size_t size, size_t *n);
/* True if it is plain, or its certificate was verified under this context. */
bool stream_is_under(const struct stream *s, const SSL_CTX *context);
/* True if the TLS session of a finished handshake is an earlier one. */
bool stream_resumed(const struct stream *s);
/*
 * True if the peer has neither closed it nor said anything that was not read: then it can carry
 * another exchange.
 */
bool stream_is_quiet(struct stream *s);
/* Closes one that is in good order, and says so to a peer with TLS. */
void stream_end(struct stream *s);
/* Closes it in any state. */
void stream_close(struct stream *s);

#endif
