/*
 * What the programs of the token exchange's benchmark share: the pool of subject tokens, the words
 * that requests are made of, and the form of a request.
 *
 * The pool has a line for each subject token: its class, the number of its scope, the token, and
 * for class `a` the actor token that goes with it. The file of words has WORDS lines: audiences,
 * resources, scopes (each of which holds those before it), and the host's Basic credentials.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AUDIENCES	20
#define RESOURCES	10
#define SCOPES		4
#define WORDS		(AUDIENCES + RESOURCES + SCOPES + 1)
#define BODY_MAX	12288

enum class { VALID, ACTOR, EXPIRED, FORGED, REVOKED, SPARE, CLASSES };

/* A subject token of the pool. */
struct subject {
	const char	*token, *actor;		/* actor: NULL if it has none */
	uint16_t	 token_n, actor_n;
	uint8_t		 class, scope;
};

struct pool {
	struct subject	*all;
	uint32_t	 count;
	uint32_t	*of[CLASSES];		/* numbers of subjects */
	uint32_t	 n_of[CLASSES];
};

/* What one request asks for: numbers of a subject and of words. */
struct asked {
	uint32_t	subject;
	uint8_t		scope, audience, resource;
};

struct words {
	char	*plain[WORDS], *encoded[WORDS];
};

static inline void __attribute__((noreturn))
die(const char *what)
{
	perror(what);
	exit(1);
}

static inline uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> 11;
}

/* The whole of a file. */
static inline const char *
map_file(const char *path, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		die(path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	close(fd);
	*n = (size_t)st.st_size;
	return p;
}

static inline void
pool_line(struct pool *pool, const char *line, const char *end)
{
	static const char letters[] = "vaefrs";
	const char *class = strchr(letters, line[0]);
	const char *space = memchr(line + 4, ' ', (size_t)(end - line - 4));
	struct subject s = { .token = line + 4, .scope = (uint8_t)(line[2] - '0') };

	if (class == NULL || s.scope >= SCOPES)
		die("a line of the pool");
	s.class = (uint8_t)(class - letters);
	s.token_n = (uint16_t)((space == NULL ? end : space) - s.token);
	if (space != NULL) {
		s.actor = space + 1;
		s.actor_n = (uint16_t)(end - s.actor);
	}
	pool->of[s.class][pool->n_of[s.class]++] = pool->count;
	pool->all[pool->count++] = s;
}

static inline void
pool_open(struct pool *pool, const char *path)
{
	size_t n, lines = 0;
	const char *p = map_file(path, &n), *end = p + n;

	for (const char *at = p; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
		lines++;
	pool->all = calloc(lines, sizeof(*pool->all));
	for (int i = 0; i < CLASSES; i++)
		if ((pool->of[i] = calloc(lines, sizeof(*pool->of[i]))) == NULL)
			die("memory");
	for (const char *line = p; pool->all != NULL && line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		if (stop == NULL)
			die("the last line of the pool");
		pool_line(pool, line, stop);
		line = stop + 1;
	}
}

/* Form-encoded, as far as URIs and scopes need it. */
static inline char *
form_encoded(const char *text)
{
	char *made = malloc(3 * strlen(text) + 1), *p = made;

	for (; made != NULL && *text != '\0'; text++)
		if (strchr(":/", *text) != NULL)
			p += sprintf(p, "%%%02X", (unsigned)*text);
		else
			*p++ = *text == ' ' ? '+' : *text;
	if (made == NULL)
		die("memory");
	*p = '\0';
	return made;
}

static inline void
words_open(struct words *w, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];

	if (f == NULL)
		die(path);
	for (int i = 0; i < WORDS; i++) {
		if (fgets(line, sizeof(line), f) == NULL)
			die("too few words");
		line[strcspn(line, "\n")] = '\0';
		w->plain[i] = strdup(line);
		w->encoded[i] = form_encoded(line);
	}
	fclose(f);
}

static inline const char *
credentials(const struct words *w)
{
	return w->plain[WORDS - 1];
}

/* Makes a request out of an endpoint and a form; the number of its bytes. */
static inline size_t
make_post(const struct words *w, const char *endpoint, const char *form, size_t n, char *out)
{
	int head = sprintf(out, "POST /oauth2/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	    "Authorization: Basic %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	    "Content-Length: %zu\r\n\r\n", endpoint, credentials(w), n);

	memcpy(out + head, form, n);
	return (size_t)head + n;
}

/* What is asked for by chance: targets, and a scope that the subject has. */
static inline struct asked
ask_by_chance(const struct pool *pool, uint32_t subject, uint64_t *seed)
{
	return (struct asked){ subject,
		(uint8_t)(chance(seed) % (pool->all[subject].scope + 1u)),
		(uint8_t)(chance(seed) % AUDIENCES), (uint8_t)(chance(seed) % RESOURCES) };
}

#define TYPE_ACCESS	"urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"

/* The request for an exchange. */
static inline size_t
make_exchange(const struct words *w, const struct pool *pool, const struct asked *a, char *out)
{
	static const char begin[] =
	    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
	    "&subject_token_type=" TYPE_ACCESS "&requested_token_type=" TYPE_ACCESS
	    "&subject_token=";
	static const char actor[] = "&actor_token_type=" TYPE_ACCESS "&actor_token=";
	const struct subject *s = &pool->all[a->subject];
	char form[BODY_MAX], *p = form;

	if (sizeof(begin) + s->token_n + sizeof(actor) + s->actor_n + 1024 > sizeof(form))
		die("a token of the pool is too long");
	p = mempcpy(p, begin, sizeof(begin) - 1);
	p = mempcpy(p, s->token, s->token_n);
	if (s->actor != NULL) {
		p = mempcpy(p, actor, sizeof(actor) - 1);
		p = mempcpy(p, s->actor, s->actor_n);
	}
	p = stpcpy(stpcpy(p, "&audience="), w->encoded[a->audience]);
	p = stpcpy(stpcpy(p, "&resource="), w->encoded[AUDIENCES + a->resource]);
	p = stpcpy(stpcpy(p, "&scope="), w->encoded[AUDIENCES + RESOURCES + a->scope]);
	return make_post(w, "token", form, (size_t)(p - form), out);
}

static inline int
connect_to(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("connect");
	return fd;
}

/* Bytes of the whole answer, 0 if it is not all there yet, -1 if it is none. */
static inline long
answer_length(const char *answer, size_t n, size_t room)
{
	const char *end = memmem(answer, n, "\r\n\r\n", 4);
	const char *length = end == NULL ? NULL : strcasestr(answer, "\r\ncontent-length:");

	if (end == NULL)
		return n < room ? 0 : -1;
	if (length == NULL || length > end)
		return -1;
	return end + 4 - answer + atol(length + 17);
}

#endif
