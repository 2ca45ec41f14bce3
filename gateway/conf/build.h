/*
 * From a tree of texts to struct config, by the table of directives.
 *
 * build_fill() does what every section needs: defaults, types, bounds, required directives. The
 * build_* functions of the sections do what only they know. Mistakes are collected and building
 * goes on, so one look tells all that is wrong; what is built is used only if there was none.
 */
#ifndef GATEWAY_CONF_BUILD_H
#define GATEWAY_CONF_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/arena.h"
#include "gateway/conf/config.h"
#include "gateway/conf/problems.h"
#include "gateway/conf/tree.h"

struct build {
	struct config	*config;
	struct arena	*arena;
	struct problems	*problems;
	struct tree	 tree;
	struct span	 folder;	/* of the file, "" or with its final slash */
};

/* Zeroed memory for n things; NULL if n is 0, or (then an error is noted) there is none left. */
void *build_array(struct build *b, size_t n, size_t each);
/* A copy with a NUL; "" (an error is noted) if there is no memory left. */
const char *build_string(struct build *b, struct span s);
/* A path as the process is to open it: relative ones are taken from the folder of the file. */
const char *build_path(struct build *b, const char *path);
/*
 * Fills the struct of a section; `target` is the struct that the fields of its directives are in.
 */
void build_fill(struct build *b, const struct section *s, void *target);
/* An error, or a warning, about a directive of a section ("" is the section itself). */
void build_error(struct build *b, const struct section *s, const char *name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void build_warn(struct build *b, const struct section *s, const char *name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Checks a title that is used as a name in logs and metrics. */
void build_check_title(struct build *b, const struct section *s);
/*
 * The content of a file with a secret, up to `max` bytes; n is 0 after an error has been noted.
 * Whoever else may read or write it is worth a warning.
 */
struct span build_read_file(struct build *b, const struct section *s, const char *name,
    const char *path, size_t max);
/* Notes an error if a file (not "") can't be read. */
void build_check_file(struct build *b, const struct section *s, const char *name, const char *path);

/* What is outside of any section, with listen, admin, client and shared_memory. */
void build_main(struct build *b, const struct section *root);
/* The database section, if there is one; may ask a name server. */
void build_database(struct build *b, const struct section *root);
/* All issuers, but for their `rules`. */
void build_issuers(struct build *b, const struct section *root);
/* The introspection section of an issuer, and where it tells of logouts. */
void build_introspection(struct build *b, const struct section *s, struct config_issuer *i);
/* `rules` of all issuers; needs the routes. */
void build_rules(struct config *config);
/* The token service, if there is one; build_issuers() begins with it. Needs the database. */
void build_token_service(struct build *b, const struct section *root);
void build_upstreams(struct build *b, const struct section *root);
/* All routes; needs issuers and upstreams. */
void build_routes(struct build *b, const struct section *root);
/* Why a path never equals one in normal form (gateway/http/target.h); NULL: it may. */
const char *build_path_fault(struct span path);
/* The claim_headers of a route or an issuer. */
void build_claim_headers(struct build *b, const struct section *s,
    struct config_claim_header **list, size_t *n);
/* What follows from the `resource` of a route. */
void build_resource(struct build *b, const struct section *s, struct config_route *r);
/* Whether the resource of the n-th route can be told from those of the routes before it. */
void build_check_resource(struct build *b, const struct section *s, size_t n);
/* Which routes can't be told apart. */
void build_check_routes(struct build *b, const struct section *root);

#endif
