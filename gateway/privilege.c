#include "gateway/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"

#define FALLBACK_USER	"nobody"

static bool
look_up(struct privilege *p, const char *user)
{
	const struct passwd *entry = getpwnam(user);

	if (entry == NULL || strlen(user) >= sizeof(p->user))
		return false;
	p->uid = entry->pw_uid;
	p->gid = entry->pw_gid;
	snprintf(p->user, sizeof(p->user), "%s", user);
	/* one that is too long is as good as none */
	if (strlen(entry->pw_dir) < sizeof(p->home))
		memcpy(p->home, entry->pw_dir, strlen(entry->pw_dir) + 1);
	return true;
}

bool
privilege_resolve(struct privilege *p, const struct config *conf, bool *instead, char *error,
    size_t error_size)
{
	*p = (struct privilege){ .drop = geteuid() == 0 && conf->user[0] != '\0' };
	*instead = false;
	if (!p->drop || look_up(p, conf->user))
		return true;
	if (!conf->user_given && look_up(p, FALLBACK_USER)) {
		*instead = true;
		return true;
	}
	snprintf(error, error_size, "%s: user: there is no user \"%s\" on this machine",
	    conf->path, conf->user);
	return false;
}

static bool
fail(const char *what, const char *user)
{
	log_error("cannot become user %s: %s: %s", user, what, strerror(errno));
	return false;
}

bool
privilege_drop(const struct privilege *p)
{
	if (p->drop) {
		if (initgroups(p->user, p->gid) != 0)
			return fail("initgroups", p->user);
		if (setresgid(p->gid, p->gid, p->gid) != 0)
			return fail("setgid", p->user);
		if (setresuid(p->uid, p->uid, p->uid) != 0)
			return fail("setuid", p->user);
		/* only a user without privileges is unable to take them back */
		if (p->uid != 0 && setuid(0) == 0) {
			log_error("user %s could become root again", p->user);
			return false;
		}
		if (setenv("HOME", p->home[0] != '\0' ? p->home : "/", 1) != 0)
			return fail("HOME", p->user);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail("no_new_privs", p->user);
	privilege_harden();
	return true;
}

void
privilege_harden(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		log_warn("cannot switch core dumps off: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_warn("cannot switch tracing off: %s", strerror(errno));
}

/* True for a file that is ours alone, under no other name. */
static bool
is_own(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    st.st_nlink == 1;
}

/* True for a link that root or we made. */
static bool
is_own_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid());
}

/*
 * The user may be able to write to the folder of the log, and whoever took a worker over could put
 * a link there to a file of ours. So only a link of our own (/dev/stdout is one) is followed, and
 * what it leads to is neither made nor given away.
 */
bool
privilege_log_file(const struct privilege *p, const char *path)
{
	const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	bool good = true, link;
	int fd;

	if (strcmp(path, "-") == 0 || strcmp(path, "off") == 0)
		return true;
	fd = open(path, flags | O_CREAT | O_NOFOLLOW, 0640);
	link = fd < 0 && errno == ELOOP;
	if (link && is_own_link(path))
		fd = open(path, flags);
	if (fd < 0)
		return false;
	if (p->drop && !link && is_own(fd) && fchown(fd, p->uid, p->gid) != 0)
		good = false;
	close(fd);
	return good;
}
