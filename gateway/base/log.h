/*
 * The error log: one line an event, "<time> <level> <role>[<pid>]: <text>".
 *
 * Lines go to standard error or to a file that log_reopen() opens anew (USR1). A line is written
 * with one write(2), so lines of several processes never mix; a full disk or pipe loses the line,
 * never time. Control characters in the text come out as \xNN, so nothing a stranger sends can
 * forge a line.
 */
#ifndef GATEWAY_BASE_LOG_H
#define GATEWAY_BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/*
 * Opens the log: a path, or "-" for standard error. False (errno set) leaves the old one in
 * place.
 */
bool log_open(const char *path, enum log_level level);
/* Opens the same path again. */
bool log_reopen(void);
/* Names this process in each line: "master", "worker", "keeper"; the string must stay. */
void log_role(const char *role);
/* True if lines of this level are written; guards arguments that cost something. */
bool log_wants(enum log_level level);

void log_write(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...)	log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...)	log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
