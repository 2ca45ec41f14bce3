#include "gateway/base/bell.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int
bell_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

void
bell_clear(int bell)
{
	struct signalfd_siginfo ring;

	while (read(bell, &ring, sizeof(ring)) == (ssize_t)sizeof(ring))
		continue;
}

void
bell_ring(pid_t pid)
{
	if (pid > 0)
		kill(pid, SIGURG);
}
