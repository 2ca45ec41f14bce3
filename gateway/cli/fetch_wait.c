#include "gateway/cli/fetch_wait.h"

#include <poll.h>

#include "gateway/base/clock.h"

enum run
fetch_wait(struct fetch *f)
{
	enum run run;

	while ((run = fetch_run(f, clock_ms())) == RUN_WAIT) {
		const struct want *want = fetch_want(f);
		uint64_t now_ms = clock_ms();
		struct pollfd p = { want->fd, want->events, 0 };

		poll(&p, 1, want->deadline_ms > now_ms ? (int)(want->deadline_ms - now_ms) : 0);
	}
	return run;
}
