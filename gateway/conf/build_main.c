#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/conf/address.h"
#include "gateway/conf/build.h"

/*
 * What is outside of sections, and those sections that stand alone: addresses, networks, logs, the
 * user, limits of clients, sizes of shared memory.
 */

static const char address_accepts[] = "accepted: \"127.0.0.1:8080\", \"[::1]:8080\", \"*:8080\"";

static void
build_address(struct build *b, const struct section *s, struct config_listen *listen)
{
	const char *why = address_listen(span_of(s->title), &listen->address, &listen->address_len);

	listen->name = build_string(b, span_of(s->title));
	listen->line = s->line;
	if (why != NULL)
		build_error(b, s, "", "%s (%s)", why, address_accepts);
	build_fill(b, s, listen);
}

/* Two sockets can't have one address; port 0 is another one each time. */
static void
check_taken(struct build *b, const struct section *s, const struct config_listen *listen, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct config_listen *other = &b->config->listens[i];

		if (address_port(&listen->address) != 0 &&
		    address_eq(&other->address, &listen->address))
			build_error(b, s, "",
			    "the address is taken by the listen section on line %d", other->line);
	}
}

static void
build_listens(struct build *b, const struct section *root)
{
	size_t n = section_count(root, "listen");

	if (n == 0)
		build_error(b, root, "listen",
		    "there is no such section (accepted: one or more, as in "
		    "listen \"127.0.0.1:8080\" { })");
	b->config->listens = build_array(b, n, sizeof(*b->config->listens));
	b->config->n_listens = b->config->listens == NULL ? 0 : n;
	for (size_t i = 0; i < b->config->n_listens; i++) {
		struct section s = section_inner(root, "listen", i);

		build_address(b, &s, &b->config->listens[i]);
		check_taken(b, &s, &b->config->listens[i], i);
	}
}

static void
build_admin(struct build *b, const struct section *root)
{
	size_t n = section_count(root, "admin");

	if (n == 0)
		return;
	struct section s = section_inner(root, "admin", n - 1);
	if (n > 1)
		build_error(b, &s, "", "there is another admin section (accepted: at most one)");
	b->config->admin = build_array(b, 1, sizeof(*b->config->admin));
	if (b->config->admin == NULL)
		return;
	build_address(b, &s, b->config->admin);
	check_taken(b, &s, b->config->admin, b->config->n_listens);
	if (!address_stays_here(&b->config->admin->address))
		build_warn(b, &s, "",
		    "the admin listener asks nobody who they are, and other machines can "
		    "reach it");
}

static void
build_networks(struct build *b, const struct section *root)
{
	size_t n = section_size(root, "trusted_proxies");
	struct config_network *networks = build_array(b, n, sizeof(*networks));

	b->config->trusted_proxies = networks;
	b->config->n_trusted_proxies = networks == NULL ? 0 : n;
	for (size_t i = 0; i < b->config->n_trusted_proxies; i++) {
		const char *text = section_value(root, "trusted_proxies", i);
		const char *why = address_network(span_of(text), &networks[i]);

		if (why != NULL)
			build_error(b, root, "trusted_proxies",
			    "\"%s\": %s (accepted: a list of networks, as "
			    "in \"10.0.0.0/8\" or \"::1\")",
			    text, why);
		else if (networks[i].bits == 0 || networks[i].bits == 96)
			build_warn(b, root, "trusted_proxies",
			    "\"%s\" lets every client say which address it "
			    "has",
			    text);
	}
}

/* One per core that this process may use, as in a container with fewer. */
static unsigned
count_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > CONFIG_WORKERS_MAX ? CONFIG_WORKERS_MAX : (unsigned)n;
}

/* A log or pid file can be made only in a folder that is there. */
static void
check_folder(struct build *b, const struct section *root, const char *name, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (slash == NULL || slash == path)
		return;
	const char *folder = build_string(b, span_make(path, (size_t)(slash - path)));
	if (stat(folder, &st) != 0)
		build_error(
		    b, root, name, "the folder of %s can't be used: %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		build_error(b, root, name, "%s is no folder", folder);
}

static void
check_user(struct build *b, const struct section *root)
{
	const char *user = b->config->user;

	b->config->user_given = section_has(root, "user");
	if (geteuid() != 0 || !b->config->user_given)
		return;
	if (user[0] == '\0' || strcmp(user, "root") == 0)
		build_warn(b, root, "user", "workers and the keeper keep all rights of root");
	else if (getpwnam(user) == NULL)
		build_error(b, root, "user",
		    "there is no user \"%s\" (accepted: the name of a user)", user);
}

static void
build_client(struct build *b, const struct section *root)
{
	struct section s = section_inner(root, "client", 0);
	struct config_client *client = &b->config->client;

	build_fill(b, &s, client);
	if (client->max_target <= client->max_head)
		return;
	if (section_has(&s, "max_target"))
		build_error(b, &s, "max_target", "it is larger than max_head, which holds it");
	client->max_target = client->max_head;
}

static void
build_shared_memory(struct build *b, const struct section *root)
{
	struct section s = section_inner(root, "shared_memory", 0);

	build_fill(b, &s, &b->config->shared_memory);
}

void
build_main(struct build *b, const struct section *root)
{
	struct config *c = b->config;

	build_fill(b, root, c);
	if (c->workers == 0)
		c->workers = count_cores();
	if (strcmp(c->error_log, "off") == 0)
		build_error(
		    b, root, "error_log", "\"off\" is not accepted (accepted: a path or \"-\")");
	if (strcmp(c->pid_file, "-") == 0 || strcmp(c->pid_file, "off") == 0)
		build_error(
		    b, root, "pid_file", "\"%s\" is not accepted (accepted: a path)", c->pid_file);
	check_folder(b, root, "access_log", c->access_log);
	check_folder(b, root, "error_log", c->error_log);
	check_folder(b, root, "pid_file", c->pid_file);
	check_user(b, root);
	build_networks(b, root);
	build_listens(b, root);
	build_admin(b, root);
	build_client(b, root);
	build_shared_memory(b, root);
}
