/*
 * The admin listener: a small HTTP/1.1 server for operators and their tools, in the keeper.
 *
 * GET and HEAD only, one request per connection, everything bounded: connections, head, time. What
 * it answers stands in the table of admin_page.c. It is no part of the way of a request and trusts
 * nobody, but whoever reaches it may read all it shows, so it belongs on loopback or an inner
 * network.
 */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/loop/loop.h"
#include "gateway/process.h"

#define ADMIN_CONNECTIONS_MAX	64
#define ADMIN_HEAD_MAX		8192

struct admin;

/*
 * Begins to accept on a listening socket, which stays the caller's. NULL if it can't; see the log.
 */
struct admin *admin_new(struct loop *loop, const struct process *process, int listener);
/* Accepts nothing new. */
void admin_leave(struct admin *a);
/* Connections that are open. */
size_t admin_connections(const struct admin *a);
/* Frees it, connections included; NULL is fine; the pointer becomes NULL. */
void admin_free(struct admin **a);

#endif
