/*
 * A key set in a file that its owner may replace at any time.
 *
 * A look costs one stat(2) unless the file changed. It counts as changed for two seconds after
 * its time of modification too, because two writes within one tick of the clock look alike.
 */
#ifndef GATEWAY_KEY_FILE_H
#define GATEWAY_KEY_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum key_file_result {
	KEY_FILE_SAME,		/* nothing changed since the last look that read it */
	KEY_FILE_READ,
	KEY_FILE_FAILED,
};

/*
 * What the file was when it was last read; zeroed at the start, and to read it again whatever it
 * is.
 */
struct key_file {
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec	modified;
	struct timespec	changed;
};

/* Looks at the file. READ: *n bytes (at most `size`) are in buf. FAILED: *reason is a sentence. */
enum key_file_result key_file_look(struct key_file *f, const char *path, int64_t now_wall_s,
    char *buf, size_t size, size_t *n, const char **reason);

#endif
