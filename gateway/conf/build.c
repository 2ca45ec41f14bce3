#include "gateway/conf/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/conf/directive.h"

/*
 * For each row of the table: find the texts (the file's, else the default's), check how many there
 * are, check each, store them in the field the row names by offset and width. A field that failed
 * keeps zero, or "" where a string belongs, so what comes after needs no care.
 */

void *
build_array(struct build *b, size_t n, size_t each)
{
	void *p = n == 0 ? NULL : arena_zalloc(b->arena, n * each);

	if (p == NULL && n > 0)
		problems_error(b->problems, 0, "there is not enough memory");
	return p;
}

const char *
build_string(struct build *b, struct span s)
{
	char *copy = build_array(b, s.n + 1, 1);

	if (copy == NULL)
		return "";
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

const char *
build_path(struct build *b, const char *path)
{
	size_t n = strlen(path);

	if (path[0] == '\0' || path[0] == '/' || strcmp(path, "-") == 0 || strcmp(path, "off") == 0)
		return build_string(b, span_of(path));
	char *joined = build_array(b, b->folder.n + n + 1, 1);
	if (joined == NULL)
		return "";
	memcpy(joined, b->folder.p, b->folder.n);
	memcpy(joined + b->folder.n, path, n);
	return joined;
}

/* "client.max_head: what is wrong", ready for a problem. */
static void __attribute__((format(printf, 5, 0)))
compose(char *out, size_t size, const struct section *s, const char *name, const char *format,
    va_list ap)
{
	struct span head = section_name(s, name, out, size);
	size_t n = head.n;

	if (n > 0)
		n += (size_t)snprintf(out + n, size - n, ": ");
	if (n < size && vsnprintf(out + n, size - n, format, ap) < 0)
		out[n] = '\0';
}

void
build_error(struct build *b, const struct section *s, const char *name, const char *format, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, format);
	compose(text, sizeof(text), s, name, format, ap);
	va_end(ap);
	problems_error(b->problems, name[0] == '\0' ? s->line : section_line(s, name), "%s", text);
}

void
build_warn(struct build *b, const struct section *s, const char *name, const char *format, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, format);
	compose(text, sizeof(text), s, name, format, ap);
	va_end(ap);
	problems_warn(b->problems, name[0] == '\0' ? s->line : section_line(s, name), "%s", text);
}

void
build_check_title(struct build *b, const struct section *s)
{
	static const char accepted[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strlen(s->title);

	if (n == 0 || n > 64 || strspn(s->title, accepted) != n)
		build_error(b, s, "",
		    "the name is not accepted (accepted: 1 to 64 letters, digits, _ . -)");
}

void
build_check_file(struct build *b, const struct section *s, const char *name, const char *path)
{
	int fd = path[0] == '\0' ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (path[0] == '\0')
		return;
	if (fd < 0)
		build_error(b, s, name, "%s can't be read: %s", path, strerror(errno));
	else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		build_error(b, s, name, "%s is no file", path);
	if (fd >= 0)
		close(fd);
}

struct span
build_read_file(struct build *b, const struct section *s, const char *name, const char *path,
    size_t max)
{
	char *bytes = build_array(b, max + 1, 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 || bytes == NULL ? -1 : read(fd, bytes, max + 1);
	struct stat st;

	if (n < 0)
		build_error(b, s, name, "%s can't be read: %s", path, strerror(errno));
	else if ((size_t)n > max)
		build_error(b, s, name, "%s is longer than %zu bytes", path, max);
	else if (fstat(fd, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		build_warn(b, s, name, "everybody on this machine can read or write %s", path);
	if (fd >= 0)
		close(fd);
	return n < 0 || (size_t)n > max ? span_make(NULL, 0) : span_make(bytes, (size_t)n);
}

/* The texts a directive has: those of the file, else those of its default. */
struct texts {
	const char	**at;
	size_t		  n;
};

/* Takes the next member of a default as the table writes it: {"a", "b"}. */
static bool
next_quoted(const char **at, struct span *member)
{
	const char *open = strchr(*at, '"');
	const char *close = open == NULL ? NULL : strchr(open + 1, '"');

	if (close == NULL)
		return false;
	*member = span_make(open + 1, (size_t)(close - open - 1));
	*at = close + 1;
	return true;
}

static void
default_texts(struct build *b, const struct directive *d, struct texts *texts)
{
	const char *at = d->fallback;
	struct span member;

	if (!directive_is_quoted(d)) {
		texts->at[texts->n++] = d->fallback;
		return;
	}
	while (next_quoted(&at, &member))
		texts->at[texts->n++] = build_string(b, member);
}

static struct texts
find_texts(struct build *b, const struct section *s, const struct directive *d)
{
	bool given = section_has(s, d->name);
	size_t n = given ? section_size(s, d->name) : strlen(d->fallback);
	struct texts texts = { build_array(b, n, sizeof(*texts.at)), 0 };

	if (texts.at == NULL)
		return texts;
	if (!given)
		default_texts(b, d, &texts);
	else
		while (texts.n < n) {
			texts.at[texts.n] = section_value(s, d->name, texts.n);
			texts.n++;
		}
	return texts;
}

/* Puts a number into a field of 1, 4 or 8 bytes. */
static void
store_number(char *field, size_t width, uint64_t number)
{
	bool truth = number != 0;
	uint32_t narrow = (uint32_t)number;

	must(width == sizeof(truth) || width == sizeof(narrow) || width == sizeof(number));
	if (width == sizeof(truth))
		memcpy(field, &truth, width);
	else if (width == sizeof(narrow))
		memcpy(field, &narrow, width);
	else
		memcpy(field, &number, width);
}

/* Puts a list into a pointer and the length that follows it. */
static void
store_list(struct build *b, const struct directive *d, char *field, struct texts texts)
{
	bool spans = d->type == DIRECTIVE_SPANS;
	void *list = build_array(b, texts.n, spans ? sizeof(struct span) : sizeof(const char *));
	size_t n = list == NULL ? 0 : texts.n;

	for (size_t i = 0; i < n; i++) {
		const char *copy = build_string(b, span_of(texts.at[i]));

		if (spans)
			((struct span *)list)[i] = span_of(copy);
		else
			((const char **)list)[i] = copy;
	}
	memcpy(field, &list, sizeof(list));
	memcpy(field + sizeof(list), &n, sizeof(n));
}

static void
store(struct build *b, const struct directive *d, char *field, struct texts texts,
    struct directive_value value)
{
	const char *string;

	switch (d->type) {
	case DIRECTIVE_STRING:
	case DIRECTIVE_PATH:
		string = d->type == DIRECTIVE_PATH ? build_path(b, texts.at[0]) :
		    build_string(b, span_of(texts.at[0]));
		memcpy(field, &string, sizeof(string));
		break;
	case DIRECTIVE_RATE:
		store_number(field, sizeof(value.number), value.number);
		store_number(field + sizeof(value.number), sizeof(value.number), value.period_us);
		break;
	case DIRECTIVE_SPANS:
	case DIRECTIVE_STRINGS:
		store_list(b, d, field, texts);
		break;
	case DIRECTIVE_NUMBER:
	case DIRECTIVE_NUMBER64:
	case DIRECTIVE_SECONDS:
	case DIRECTIVE_WHOLE_SECONDS:
	case DIRECTIVE_SHARE:
	case DIRECTIVE_SIZE:
	case DIRECTIVE_BOOL:
	case DIRECTIVE_CHOICE:
		store_number(field, d->width, value.number);
		break;
	}
}

static void
refuse(struct build *b, const struct section *s, const struct directive *d, const char *why)
{
	char accepts[256];
	struct text t = { accepts, 0, sizeof(accepts) - 1, false };

	directive_accepts(d, &t);
	accepts[t.n] = '\0';
	build_error(b, s, d->name, "%s (accepted: %s)", why, accepts);
}

static bool
check_value(struct build *b, const struct section *s, const struct directive *d, const char *text,
    struct directive_value *value)
{
	const char *sentence = directive_later(s->kind, d->name, text);
	char why[256];
	struct text t = { why, 0, sizeof(why) - 1, false };

	if (directive_read(d, text, value, &t))
		return true;
	why[t.n] = '\0';
	if (sentence != NULL && text[0] != '\0')
		build_error(b, s, d->name, "\"%s\" is not accepted: %s", text, sentence);
	else
		refuse(b, s, d, why);
	return false;
}

static bool
check_length(struct build *b, const struct section *s, const struct directive *d, size_t n)
{
	char why[64];

	if (!directive_is_list(d) || (n >= d->least && n <= d->most))
		return true;
	snprintf(why, sizeof(why), n == 0 ? "the list is empty" : "the list has over %llu members",
	    (unsigned long long)d->most);
	refuse(b, s, d, why);
	return false;
}

static void
fill_one(struct build *b, const struct section *s, const struct directive *d, char *target)
{
	static const char *const empty = "";
	struct directive_value value = { 0 };
	bool fine = true;

	/* whatever is wrong, later checks find a string */
	if (!d->by_hand && (d->type == DIRECTIVE_STRING || d->type == DIRECTIVE_PATH))
		memcpy(target + d->offset, &empty, sizeof(empty));
	if (d->fallback == NULL && !section_has(s, d->name)) {
		refuse(b, s, d, "it is missing");
		return;
	}
	struct texts texts = find_texts(b, s, d);
	if (!check_length(b, s, d, texts.n) || (texts.n == 0 && !directive_is_list(d)))
		return;
	for (size_t i = 0; i < texts.n; i++)
		fine = check_value(b, s, d, texts.at[i], &value) && fine;
	if (fine && !d->by_hand)
		store(b, d, target + d->offset, texts, value);
}

void
build_fill(struct build *b, const struct section *s, void *target)
{
	for (size_t i = 0; i < directive_n; i++)
		if (strcmp(directive_table[i].section, s->kind) == 0)
			fill_one(b, s, &directive_table[i], target);
}
