#include <string.h>

#include "gateway/conf/address.h"
#include "gateway/conf/build.h"
#include "gateway/conf/directive.h"

/*
 * The token service is there when any of its directives is: an empty section, as in the example
 * that lists all directives, asks for nothing. What it can't do without is asked for here.
 */

#define KEY_MIN		16
#define KEY_MAX		4096
/* A token that was stolen works for so long; above this it is worth a warning. */
#define LIFETIME_WARN_S	86400

static const char key_advice[] = "accepted: 16 bytes or more that nobody can guess, as `openssl "
    "rand -base64 32` makes them";

static bool
is_wanted(const struct section *s)
{
	for (size_t i = 0; i < directive_n; i++)
		if (strcmp(directive_table[i].section, s->kind) == 0 &&
		    section_has(s, directive_table[i].name))
			return true;
	return false;
}

static void
check_issuer(struct build *b, const struct section *s, const struct config_token_service *t)
{
	static const char accepted[] = "accepted: a URL without a query, as in "
	    "\"https://api.example.com\"";
	struct address_url url;
	const char *why = t->issuer[0] == '\0' ? "it is missing" :
	    address_url(span_of(t->issuer), &url);

	if (why != NULL)
		build_error(b, s, "issuer", "%s (%s)", why, accepted);
	else if (url.path.n > 0 && memchr(url.path.p, '?', url.path.n) != NULL)
		build_error(b, s, "issuer", "it has a query (%s)", accepted);
	else if (!url.tls && !address_is_loopback(url.host))
		build_warn(b, s, "issuer",
		    "clients are told to send their secrets without TLS: whoever is in between "
		    "can read them");
}

static void
check_audience(struct build *b, const struct section *s, const struct config_token_service *t)
{
	bool bad = t->n_audience == 0;

	for (size_t i = 0; i < t->n_audience; i++)
		bad = bad || t->audience[i].n == 0 || span_eq(t->audience[i], SPAN("*"));
	if (bad)
		build_error(b, s, "audience", "%s (accepted: names of what the tokens are for, as "
		    "in {\"orders-api\"})",
		    t->n_audience == 0 ? "it is missing" : "a member is empty or \"*\"");
}

/* Only what every writer of a path would write the same way. */
static void
check_path(struct build *b, const struct section *s, const struct config_token_service *t)
{
	static const char accepted[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_.~-/";
	size_t n = strlen(t->path);

	if (n == 0)
		return;		/* told already */
	if (t->path[0] != '/' || t->path[n - 1] == '/' || strspn(t->path, accepted) != n ||
	    strstr(t->path, "//") != NULL || strstr(t->path, "/.") != NULL)
		build_error(b, s, "path",
		    "\"%s\" is not accepted (accepted: a path of letters, digits and -._~ that "
		    "begins with \"/\" and does not end with it)", t->path);
}

/* The file's content without the line's end. */
static struct span
read_key(struct build *b, const struct section *s, const char *path)
{
	struct span key = build_read_file(b, s, "encryption_key_file", path, KEY_MAX);

	while (key.n > 0 && (key.p[key.n - 1] == '\n' || key.p[key.n - 1] == '\r'))
		key.n--;
	return key;
}

static void
take_key(struct build *b, const struct section *s, struct config_token_service *t)
{
	const char *text = section_size(s, "encryption_key") == 0 ? "" :
	    section_value(s, "encryption_key", 0);
	bool file = t->encryption_key_file[0] != '\0';
	const char *name = file ? "encryption_key_file" : "encryption_key";

	if (file && text[0] != '\0') {
		build_error(b, s, name, "there is an encryption_key too (accepted: one of them)");
		return;
	}
	if (!file && text[0] == '\0') {
		build_error(b, s, name,
		    "it is missing, and so is encryption_key_file (%s)", key_advice);
		return;
	}
	t->encryption_key = file ? read_key(b, s, t->encryption_key_file) :
	    span_of(build_string(b, span_of(text)));
	if (t->encryption_key.p != NULL && t->encryption_key.n < KEY_MIN)
		build_error(b, s, name, "it has fewer than %d bytes (%s)", KEY_MIN, key_advice);
}

static void
warn_of_weakness(struct build *b, const struct section *s, const struct config_token_service *t)
{
	if (t->lifetime_s > LIFETIME_WARN_S)
		build_warn(b, s, "lifetime", "a stolen token works for %llu hours",
		    (unsigned long long)t->lifetime_s / 3600);
	if (t->rate_count == 0)
		build_warn(b, s, "token_rate", "a consumer may have any number of tokens made");
	if (t->failures_count == 0)
		build_warn(b, s, "auth_failures", "secrets of clients may be guessed at any speed");
}

void
build_token_service(struct build *b, const struct section *root)
{
	struct section s = section_inner(root, "token_service", 0);

	if (!is_wanted(&s))
		return;
	struct config_token_service *t = build_array(b, 1, sizeof(*t));
	if (t == NULL)
		return;
	b->config->token_service = t;
	t->line = s.line;
	build_fill(b, &s, t);
	if (b->config->database == NULL)
		build_error(b, &s, "", "a token service needs a database section with a url: what "
		    "it makes and revokes must not be lost");
	check_issuer(b, &s, t);
	check_audience(b, &s, t);
	check_path(b, &s, t);
	take_key(b, &s, t);
	warn_of_weakness(b, &s, t);
}
