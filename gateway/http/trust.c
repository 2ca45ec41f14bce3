#include "gateway/http/trust.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/http/stream.h"

/* What tells one state of a file from another. */
struct stamp {
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec	changed;
};

struct trust {
	struct trust	*next;
	SSL_CTX		*context;	/* NULL: could not be read */
	struct stamp	 stamp;
	char		 ca_file[];	/* "": the system's */
};

static struct stamp
look(const char *ca_file)
{
	struct stat s;

	if (*ca_file == '\0' || stat(ca_file, &s) != 0)
		return (struct stamp){ 0 };
	return (struct stamp){ s.st_dev, s.st_ino, s.st_size, s.st_ctim };
}

static bool
same(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	    a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct trust *
find_or_add(struct trusts *list, const char *ca_file)
{
	size_t size = strlen(ca_file) + 1;
	struct trust *t;

	for (t = list->first; t != NULL; t = t->next)
		if (strcmp(t->ca_file, ca_file) == 0)
			return t;
	t = calloc(1, sizeof(*t) + size);
	if (t == NULL)
		return NULL;
	memcpy(t->ca_file, ca_file, size);
	t->next = list->first;
	list->first = t;
	return t;
}

SSL_CTX *
trust_find(struct trusts *list, const char *ca_file, const char **reason)
{
	struct trust *t = find_or_add(list, ca_file);
	struct stamp stamp;

	if (t == NULL) {
		*reason = "there is no memory";
		return NULL;
	}
	stamp = look(ca_file);		/* before it is read: a later change is seen */
	if (t->context != NULL && same(&stamp, &t->stamp))
		return t->context;
	SSL_CTX_free(t->context);
	t->context = stream_tls_context(ca_file, reason);
	t->stamp = stamp;
	return t->context;
}

void
trust_forget(struct trusts *list)
{
	while (list->first != NULL) {
		struct trust *t = list->first;

		list->first = t->next;
		SSL_CTX_free(t->context);
		free(t);
	}
}
