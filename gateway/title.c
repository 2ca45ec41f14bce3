#include "gateway/title.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel knows one place for the title of a process. */
static struct {
	char	*at;
	size_t	 size;
	char	*environment;	/* the strings that stood there */
} the_room;

/* End of the run of strings that begins at `end`, as far as each stands right behind the last. */
static char *
stretch(char *end, char **strings)
{
	for (; *strings != NULL; strings++)
		if (*strings == end)
			end += strlen(end) + 1;
	return end;
}

/* Gives the environment memory of its own. */
static bool
move_environment(void)
{
	size_t n = 0, size = 0;
	char **pointers, *at;

	for (; environ[n] != NULL; n++)
		size += strlen(environ[n]) + 1;
	pointers = calloc(n + 1, sizeof(*pointers));
	at = malloc(size + 1);
	if (pointers == NULL || at == NULL) {
		free(pointers);
		free(at);
		return false;
	}
	the_room.environment = at;
	for (size_t i = 0; i < n; i++) {
		pointers[i] = at;
		at = stpcpy(at, environ[i]) + 1;
	}
	environ = pointers;
	return true;
}

void
title_init(int argc, char **argv)
{
	char *end;

	if (argc < 1 || environ == NULL)
		return;
	end = stretch(stretch(argv[0], argv), environ);
	if (!move_environment())
		return;
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
