/*
 * The access log: one line of JSON a request, written for many requests at once.
 *
 * Lines gather in memory and are written at the end of a turn of the loop, at the latest a tenth
 * of a second after they were made. For a reader that is busy for a moment they wait; one that does
 * not keep up, or a full disk, loses lines (counted in gatehouse_log_lines_dropped_total), never
 * time. No token, secret or query string ever stands in a line; of a very long path or name, the
 * begin does.
 */
#ifndef GATEWAY_REQUEST_ACCESS_LOG_H
#define GATEWAY_REQUEST_ACCESS_LOG_H

#include "gateway/request/request.h"

struct access_log;

/*
 * Opens the log of a worker: a path, "-" for standard output, or "off". NULL (errno set) on
 * failure.
 */
struct access_log *access_log_open(struct loop *loop, const char *path, unsigned worker);
/* Writes what is left, which a reader gets a fifth of a second for; the pointer becomes NULL. */
void access_log_close(struct access_log **log);
/* Opens the path again, for a log that was moved away. */
void access_log_reopen(struct access_log *log);
/* Adds the line of a request that is over. */
void access_log_write(struct access_log *log, const struct request *r, uint64_t duration_us);
/* Writes now, as much as goes in without waiting; the rest is tried again soon. */
void access_log_flush(struct access_log *log);

#endif
