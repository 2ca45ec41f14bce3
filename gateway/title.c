#include "gateway/title.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel knows one place for the title of a process. */
static struct {
	char	*at;
	size_t	 size;
} the_room;

/* End of the run of strings that begins at `end`, if the next of them stands right there. */
static char *
stretch(char *end, char **strings, int n)
{
	for (int i = 0; i < n; i++)
		if (strings[i] == end)
			end += strlen(end) + 1;
	return end;
}

void
title_init(int argc, char **argv)
{
	int n = 0;
	char *end, **copy;

	if (argc < 1)
		return;
	while (environ != NULL && environ[n] != NULL)
		n++;
	copy = calloc((size_t)n + 1, sizeof(*copy));
	if (copy == NULL)
		return;
	for (int i = 0; i < n; i++) {
		copy[i] = strdup(environ[i]);
		if (copy[i] == NULL)
			return;		/* the little that was copied stays, once in a process's life */
	}
	end = stretch(stretch(argv[0], argv, argc), environ, n);
	environ = copy;
	the_room.at = argv[0];
	the_room.size = (size_t)(end - argv[0]);
}

void
title_set(const char *title)
{
	size_t n = strlen(title);

	if (the_room.size < 2)
		return;
	if (n > the_room.size - 1)
		n = the_room.size - 1;
	memcpy(the_room.at, title, n);
	memset(the_room.at + n, 0, the_room.size - n);
}
