#include "gateway/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/pid_file.h"
#include "gateway/schema.h"
#include "gateway/title.h"
#include "gateway/upgrade.h"

#define ERROR_SIZE	8192

/* Tells why we don't start, wherever a person may look for it. */
static void __attribute__((format(printf, 2, 3)))
tell(const struct config *conf, const char *format, ...)
{
	char sentence[ERROR_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	log_error("%s", sentence);
	if (strcmp(conf->error_log, "-") != 0)
		fprintf(stderr, "gatehouse: %s\n", sentence);
}

/* Descriptors 0 to 2 must be taken, or a socket gets one and a stray message goes to a client. */
static void
fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void
raise_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		log_warn("cannot raise the limit of open files: %s", strerror(errno));
}

/* Copies what the title will be written over, and shows that this process is the master. */
static bool
keep_arguments(struct startup *s, const char *conf_path, int argc, char **argv)
{
	char title[1024];
	struct text t = { title, 0, sizeof(title) - 1, false };

	s->conf_path = strdup(conf_path);
	s->argv = calloc((size_t)argc + 1, sizeof(*s->argv));
	if (s->conf_path == NULL || s->argv == NULL)
		return false;
	text_str(&t, "gatehouse: master");
	for (int i = 0; i < argc; i++) {
		s->argv[i] = strdup(argv[i]);
		if (s->argv[i] == NULL)
			return false;
		text_char(&t, ' ');
		text_str(&t, argv[i]);
	}
	title[t.n] = '\0';
	title_init(argc, argv);
	title_set(title);
	return true;
}

bool
startup_open_logs(const struct startup *s, const struct config *conf)
{
	if (!privilege_log_file(&s->privilege, conf->access_log)) {
		log_error("cannot open the access log %s: %s", conf->access_log, strerror(errno));
		return false;
	}
	if (privilege_log_file(&s->privilege, conf->error_log) &&
	    log_open(conf->error_log, conf->log_level))
		return true;
	log_error("cannot open the error log %s: %s", conf->error_log, strerror(errno));
	return false;
}

static bool
resolve_user(struct startup *s, const struct config *conf)
{
	char error[ERROR_SIZE];
	bool instead;

	if (!privilege_resolve(&s->privilege, conf, &instead, error, sizeof(error))) {
		tell(conf, "%s", error);
		return false;
	}
	if (instead)
		log_notice("there is no user \"%s\": workers and keeper run as \"%s\"", conf->user,
		    s->privilege.user);
	return true;
}

/* Caches and rules can be had anew; what a wrong schema would do to the store can't be undone. */
static bool
check_schema(const struct startup *s, const struct config *conf)
{
	char why[ERROR_SIZE];

	switch (schema_check(conf, &s->privilege, why, sizeof(why))) {
	case SCHEMA_FINE:
		break;
	case SCHEMA_UNSEEN:
		log_warn("%s; going on without it", why);
		break;
	case SCHEMA_WRONG:
		tell(conf, "%s", why);
		return false;
	}
	return true;
}

static bool
make_shared(struct startup *s, const struct config *conf)
{
	const struct shared_sizes sizes = {
		.token_cache = conf->shared_memory.token_cache,
		.negative_cache = conf->shared_memory.negative_cache,
		.rate_limits = conf->shared_memory.rate_limits,
		.revocations = conf->shared_memory.revocations,
		.reuse = conf->shared_memory.reuse,
		.replay = conf->shared_memory.replay,
		.inactive = conf->shared_memory.inactive,
	};
	uint8_t key[SHARED_BOOT_KEY_SIZE];
	const char *error;

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		error = strerror(errno);
	else
		error = shared_create(&s->shared, &sizes, key, clock_wall_s());
	if (error != NULL) {
		tell(conf, "cannot make the shared memory: %s", error);
		return false;
	}
	return true;
}

/* Caches that don't fit are a loss of warmth, not of truth: then we start with empty ones. */
static bool
take_or_make_shared(struct startup *s, const struct config *conf, int fd)
{
	const char *error;

	if (fd >= 0) {
		error = shared_attach(&s->shared, fd);
		if (error == NULL)
			return true;
		log_notice("the shared memory of master %d is of no use (%s): caches start empty",
		    (int)s->old_master, error);
	}
	return make_shared(s, conf);
}

/* Sockets and memory: new, or those of the binary we replace. */
static bool
take_or_open(struct startup *s, const struct config *conf, struct listeners *listeners)
{
	char error[ERROR_SIZE];
	struct upgrade left;
	bool good;

	if (!upgrade_take(&left, error, sizeof(error))) {
		tell(conf, "%s", error);
		return false;
	}
	s->old_master = left.old_master;
	good = listeners_open(listeners, conf, &left.listeners, error, sizeof(error));
	listeners_close(&left.listeners);
	if (!good) {
		tell(conf, "%s", error);
		return false;
	}
	if (take_or_make_shared(s, conf, left.shared))
		return true;
	listeners_close(listeners);
	return false;
}

struct config *
startup_begin(struct startup *s, const char *conf_path, int argc, char **argv,
    struct listeners *listeners)
{
	char error[ERROR_SIZE];
	struct config *conf;

	*s = (struct startup){ .shared.region.fd = -1 };
	fill_standard_descriptors();
	if (!keep_arguments(s, conf_path, argc, argv)) {
		fprintf(stderr, "gatehouse: there is no memory\n");
		return NULL;
	}
	privilege_harden();
	raise_descriptors();
	conf = config_load(s->conf_path, error, sizeof(error));
	if (conf == NULL) {
		fprintf(stderr, "%s%s", error, error[strlen(error) - 1] == '\n' ? "" : "\n");
		return NULL;
	}
	if (resolve_user(s, conf) && startup_open_logs(s, conf) && check_schema(s, conf) &&
	    take_or_open(s, conf, listeners)) {
		startup_warn(conf, NULL);
		s->pid_file = strdup(conf->pid_file);
		if (s->pid_file != NULL && (s->old_master != 0 || pid_file_write(s->pid_file)))
			return conf;
		listeners_close(listeners);
	}
	config_free(&conf);
	return NULL;
}

void
startup_complete(struct startup *s)
{
	if (s->old_master == 0)
		return;
	pid_file_write(s->pid_file);
	if (getppid() == s->old_master) {
		log_notice("upgrade: taking over from master %d", (int)s->old_master);
		kill(s->old_master, SIGQUIT);
	}
	s->old_master = 0;
}

pid_t
startup_bequeath(struct startup *s, const struct listeners *listeners)
{
	struct upgrade left = { .shared = s->shared.region.fd, .listeners = *listeners };

	return upgrade_start(&left, s->argv);
}

void
startup_end(struct startup *s)
{
	shared_close(&s->shared);
	for (char **argument = s->argv; argument != NULL && *argument != NULL; argument++)
		free(*argument);
	free(s->argv);
	free(s->conf_path);
	free(s->pid_file);
}

static bool
same_sizes(const struct config_shared_memory *a, const struct config_shared_memory *b)
{
	return a->token_cache == b->token_cache && a->negative_cache == b->negative_cache &&
	    a->rate_limits == b->rate_limits && a->revocations == b->revocations &&
	    a->reuse == b->reuse && a->replay == b->replay && a->inactive == b->inactive;
}

void
startup_warn(const struct config *conf, const struct config *old)
{
	for (size_t i = 0; i < conf->n_warnings; i++)
		log_warn("%s", conf->warnings[i]);
	if (old == NULL)
		return;
	if (!same_sizes(&conf->shared_memory, &old->shared_memory))
		log_warn("shared_memory has changed: that takes effect at a restart");
	if (strcmp(conf->user, old->user) != 0)
		log_warn("user has changed: that takes effect at a restart");
	if (strcmp(conf->pid_file, old->pid_file) != 0)
		log_warn("pid_file has changed: that takes effect at a restart");
}

void
startup_log_lines(const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		if (n > 0)
			log_error("%.*s", (int)n, text);
		text += n + (text[n] == '\n');
	}
}
