#include "shm/permits.h"

#include "tests/unit/shm_memory.h"
#include "tests/unit/suite.h"

static pid_t dead;

static bool
alive(pid_t pid)
{
	return pid != dead;
}

static struct permits_asker
asker(pid_t pid)
{
	return (struct permits_asker){ pid, (unsigned)pid % PERMITS_WAITERS, alive };
}
