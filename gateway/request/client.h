/*
 * A client's connection that speaks HTTP/1: it reads heads, carries one request at a time, and
 * answers in order.
 *
 * Requests that come before the last was answered (pipelining) wait in the buffer, at most a
 * head's worth. An idle connection holds no buffer. What a connection may wait for is bounded by
 * the timeouts of `client` in the configuration; every way out leads through client_close().
 */
#ifndef GATEWAY_REQUEST_CLIENT_H
#define GATEWAY_REQUEST_CLIENT_H

#include "gateway/request/gate.h"

/* Takes a fresh connection; owns fd, also when there is no memory for it. */
void client_open(struct gate *g, int fd, const struct sockaddr_storage *address);
/* Closes it, whatever it does; frees it at the end of the turn. */
void client_close(struct client *c);
/* The worker drains: an idle connection closes after a quiet moment. */
void client_drain(struct client *c);
/* The next one of the gate's list. */
struct client *client_next(const struct client *c);

#endif
