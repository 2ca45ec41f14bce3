/*
 * Assertions for what only a bug in this program can break.
 *
 * must(x) ends the process with file, line and the condition on the error log; the master then
 * starts another worker. It is never used for anything that input, a peer or an operator can cause.
 */
#ifndef GATEWAY_BASE_MUST_H
#define GATEWAY_BASE_MUST_H

_Noreturn void must_fail(const char *condition, const char *file, int line);

#define must(condition) \
	((condition) ? (void)0 : must_fail(#condition, __FILE__, __LINE__))

#endif
