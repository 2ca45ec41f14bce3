#include "gateway/conf/config.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/conf/build.h"

/*
 * What a whole configuration may take: the file is at most 1 MiB, environment variables come on
 * top.
 */
#define MEMORY_MAX	((size_t)256 << 20)

/* A configuration and the memory all of it is in. */
struct whole {
	struct config	config;		/* first: config_free() gets its address */
	struct arena	arena;
};

static struct span
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return span_make(path, slash == NULL ? 0 : (size_t)(slash + 1 - path));
}

static void
build_warnings(struct build *b)
{
	struct config *c = b->config;
	size_t n = b->problems->n_warnings;

	c->warnings = build_array(b, n, sizeof(*c->warnings));
	c->n_warnings = c->warnings == NULL ? 0 : n;
	for (size_t i = 0; i < c->n_warnings; i++)
		c->warnings[i] = b->problems->warnings[i];
}

static void
build(struct build *b)
{
	struct section root = tree_root(&b->tree);

	b->config->path = build_string(b, span_of(b->problems->path));
	build_main(b, &root);
	build_database(b, &root);
	build_issuers(b, &root);
	build_upstreams(b, &root);
	build_routes(b, &root);
	build_check_routes(b, &root);
	build_rules(b->config);
	build_warnings(b);
}

struct config *
config_load(const char *path, char *error, size_t error_size)
{
	struct whole *whole = calloc(1, sizeof(*whole));
	struct problems problems;

	must(path != NULL && error_size >= 128);
	if (whole == NULL) {
		strcpy(error, "there is not enough memory");
		return NULL;
	}
	arena_init(&whole->arena, NULL, 0, MEMORY_MAX);
	problems_init(&problems, path, &whole->arena, error, error_size);
	struct build b = { .config = &whole->config, .arena = &whole->arena, .problems = &problems,
		.folder = folder_of(path) };
	if (tree_read(&b.tree, &problems) && problems.n_errors == 0)
		build(&b);
	tree_free(&b.tree);
	problems_finish(&problems);
	struct config *config = &whole->config;
	if (problems.n_errors > 0)
		config_free(&config);
	return config;
}

void
config_free(struct config **config)
{
	struct whole *whole = (struct whole *)*config;

	*config = NULL;
	if (whole == NULL)
		return;
	arena_reset(&whole->arena);
	free(whole);
}
