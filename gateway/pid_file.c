#include "gateway/pid_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"

bool
pid_file_write(const char *path)
{
	char fresh[PATH_MAX];
	FILE *f;
	bool good;

	if (path[0] == '\0')
		return true;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	/* never through a link that somebody left there */
	unlink(fresh);
	f = fopen(fresh, "wxe");
	good = f != NULL && fprintf(f, "%d\n", (int)getpid()) > 0;
	if (f != NULL && fclose(f) != 0)
		good = false;
	if (good && rename(fresh, path) == 0)
		return true;
	log_error("cannot write the pid file %s: %s", path, strerror(errno));
	return false;
}

void
pid_file_remove(const char *path)
{
	int pid = 0;
	FILE *f;

	if (path[0] == '\0' || (f = fopen(path, "re")) == NULL)
		return;
	if (fscanf(f, "%d", &pid) == 1 && pid == (int)getpid())
		unlink(path);
	fclose(f);
}
