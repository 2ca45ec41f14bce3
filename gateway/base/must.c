#include "gateway/base/must.h"

#include <stdlib.h>

#include "gateway/base/log.h"

_Noreturn void
must_fail(const char *condition, const char *file, int line)
{
	log_error("bug: %s does not hold at %s:%d", condition, file, line);
	abort();
}
