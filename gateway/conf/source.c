#include "gateway/conf/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The scanner knows just the lexical rules of libConfuse (src/lexer.l): three kinds of comments,
 * two of strings, ${NAME} and ${NAME:-default} in double quotes and outside of any, braces, and
 * words.
 */
struct scan {
	struct source	*source;
	struct problems	*problems;
	char		*at;
	char		*end;
	int		 line;
	struct span	 words[2];	/* what stands before a brace: a name, perhaps a title */
	size_t		 n_words;
	bool		 value;		/* an equal sign came: a value or a list follows */
	bool		 list;		/* inside of the braces of a list */
	int		 depth;		/* sections open */
	int		 opened[8];	/* line of each */
};

#define DEPTH_MAX	(int)(sizeof(((struct scan *)0)->opened) / sizeof(int))

static char
peek(const struct scan *s, size_t n)
{
	return (size_t)(s->end - s->at) > n ? s->at[n] : '\0';
}

/* Blanks out one character; lines keep their number. */
static void
blank(struct scan *s)
{
	if (*s->at == '\n')
		s->line++;
	else
		*s->at = ' ';
	s->at++;
}

static bool
skip_comment(struct scan *s)
{
	int began = s->line;

	if (peek(s, 0) == '#' || peek(s, 1) == '/') {
		while (s->at < s->end && *s->at != '\n')
			blank(s);
		return true;
	}
	while (s->at < s->end && !(peek(s, 0) == '*' && peek(s, 1) == '/'))
		blank(s);
	if (s->at == s->end) {
		problems_error(s->problems, began, "this comment has no end (accepted: /* ... */)");
		return false;
	}
	blank(s);
	blank(s);
	return true;
}

/* At "${": the variable must be set, or have a default. */
static bool
check_variable(struct scan *s)
{
	char name[256];
	size_t n = 0, most = (size_t)(s->end - s->at) - 2;

	while (n < most && n < sizeof(name) - 1 && s->at[2 + n] != '}' && s->at[2 + n] != '\n' &&
	    s->at[2 + n] != '"') {
		name[n] = s->at[2 + n];
		n++;
	}
	name[n] = '\0';
	if (peek(s, 2 + n) != '}') {
		problems_error(s->problems, s->line, "\"${%.60s\" has no closing brace", name);
		return false;
	}
	s->at += 3 + n;
	if (strstr(name, ":-") != NULL || getenv(name) != NULL)
		return true;
	problems_error(s->problems, s->line,
	    "the environment variable %s is not set (a default may be given: ${%s:-default})",
	    name, name);
	return false;
}

/* At a backslash in double quotes: an escaped NUL would cut the value short. */
static bool
check_escape(struct scan *s)
{
	bool hex = peek(s, 1) == 'x';
	size_t first = hex ? 2 : 1, most = first + (hex ? 2 : 3), n = first;
	bool zero = true;

	for (int c; n < most; n++) {
		c = (unsigned char)peek(s, n);
		if (hex ? !isxdigit(c) : !isdigit(c))
			break;
		zero = zero && c == '0';
	}
	if (n > first && zero) {
		problems_error(s->problems, s->line, "there is a NUL in this string");
		return false;
	}
	if (peek(s, 1) == '\n')
		s->line++;
	s->at += s->end - s->at > 1 ? 2 : 1;
	return true;
}

static bool
skip_string(struct scan *s)
{
	char quote = *s->at++;
	int began = s->line;

	while (s->at < s->end && *s->at != quote) {
		if (*s->at == '\\' && quote == '"') {
			if (!check_escape(s))
				return false;
		} else if (*s->at == '\\' && s->end - s->at > 1) {
			s->line += s->at[1] == '\n';
			s->at += 2;
		} else if (quote == '"' && *s->at == '$' && peek(s, 1) == '{') {
			if (!check_variable(s))
				return false;
		} else {
			s->line += *s->at == '\n';
			s->at++;
		}
	}
	if (s->at == s->end) {
		problems_error(s->problems, began, "this string has no closing quote");
		return false;
	}
	s->at++;
	return true;
}

static bool
refuse_character(struct scan *s)
{
	unsigned char c = (unsigned char)*s->at;

	if (c > 0x20 && c < 0x7f)
		problems_error(s->problems, s->line,
		    "'%c' stands outside of quotes (accepted: the value in double quotes)", c);
	else
		problems_error(s->problems, s->line, "there is a control character, \\x%02x", c);
	return false;
}

static bool
is_word(const struct scan *s)
{
	static const char others[] = " #\"'\t\n\r={}()+,*|\\/";
	char c = *s->at;

	if (c == '/')
		return strchr(others, peek(s, 1)) == NULL;
	return ((unsigned char)c > 0x20 && c != 0x7f) && strchr(others, c) == NULL;
}

static bool
skip_word(struct scan *s)
{
	while (s->at < s->end && is_word(s)) {
		if (*s->at == '$' && peek(s, 1) == '{') {
			if (!check_variable(s))
				return false;
		} else {
			s->at++;
		}
	}
	return true;
}

static bool
note_section(struct scan *s)
{
	struct source *source = s->source;

	if (s->depth == DEPTH_MAX || source->n_sections == SOURCE_SECTIONS_MAX) {
		problems_error(s->problems, s->line, "there are too many sections");
		return false;
	}
	if (s->depth == 0 && s->n_words > 0)
		source->sections[source->n_sections++] =
		    (struct source_section){ s->words[0], s->line };
	s->opened[s->depth++] = s->line;
	return true;
}

/* Structure: equal signs, braces, commas. */
static bool
scan_mark(struct scan *s)
{
	char c = *s->at;
	bool opens_list = c == '{' && s->value;

	s->at++;
	if (c == '{' && !opens_list && !note_section(s))
		return false;
	if (c == '}' && !s->list && s->depth > 0)
		s->depth--;
	if (c != ',')
		s->list = opens_list;
	s->n_words = 0;
	s->value = c == '=';
	return true;
}

static bool
scan_word(struct scan *s)
{
	char *began = s->at;
	bool quoted = *s->at == '"' || *s->at == '\'';

	if (!(quoted ? skip_string(s) : skip_word(s)))
		return false;
	if (s->value || s->list)
		s->value = false;
	else if (s->n_words < 2)
		s->words[s->n_words++] = span_make(began, (size_t)(s->at - began));
	return true;
}

static bool
scan_one(struct scan *s)
{
	switch (*s->at) {
	case '\n':
		s->line++;
		s->at++;
		return true;
	case ' ':
	case '\t':
	case '\r':
		s->at++;
		return true;
	case '#':
		return skip_comment(s);
	case '+':
		if (peek(s, 1) != '=')
			return refuse_character(s);
		s->at++;
		return true;
	case '{':
	case '}':
	case '=':
	case ',':
	case '(':
	case ')':
		return scan_mark(s);
	case '/':
		if (peek(s, 1) == '/' || peek(s, 1) == '*')
			return skip_comment(s);
		return is_word(s) ? scan_word(s) : refuse_character(s);
	case '"':
	case '\'':
		return scan_word(s);
	default:
		return is_word(s) ? scan_word(s) : refuse_character(s);
	}
}

static bool
scan(struct source *source, struct problems *p)
{
	struct scan s = { .source = source, .problems = p, .at = source->text,
		.end = source->text + source->n, .line = 1 };

	if (source->n >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0)
		memset(source->text, ' ', 3);	/* a byte order mark, as some editors leave it */
	while (s.at < s.end)
		if (!scan_one(&s))
			return false;
	if (s.depth > 0) {
		problems_error(
		    p, s.opened[s.depth - 1], "the section that begins here has no closing brace");
		return false;
	}
	return true;
}

/* Reads until the end or `size` bytes; -1 with errno set on failure. */
static ssize_t
read_all(int fd, char *into, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, into + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static bool
load(struct source *s, struct problems *p)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read_all(fd, s->text, SOURCE_SIZE_MAX + 1);

	if (n < 0)
		problems_error(p, 0, "the configuration can't be read: %s", strerror(errno));
	else if ((size_t)n > SOURCE_SIZE_MAX)
		problems_error(p, 0, "the configuration is too large (accepted: up to 1 MiB)");
	if (fd >= 0)
		close(fd);
	if (n < 0 || (size_t)n > SOURCE_SIZE_MAX)
		return false;
	s->text[n] = '\n';
	s->text[n + 1] = '\0';
	s->n = (size_t)n + 1;
	return true;
}

bool
source_read(struct source *s, struct problems *p)
{
	*s = (struct source){ .text = malloc(SOURCE_SIZE_MAX + 2) };
	s->sections = calloc(SOURCE_SECTIONS_MAX, sizeof(*s->sections));
	if (s->text == NULL || s->sections == NULL) {
		problems_error(p, 0, "there is not enough memory");
		return false;
	}
	return load(s, p) && scan(s, p);
}

int
source_section_line(const struct source *s, const char *name, size_t nth)
{
	for (size_t i = 0; i < s->n_sections; i++)
		if (span_eq(s->sections[i].name, span_of(name)) && nth-- == 0)
			return s->sections[i].line;
	return 0;
}

void
source_free(struct source *s)
{
	free(s->text);
	free(s->sections);
	*s = (struct source){ 0 };
}
