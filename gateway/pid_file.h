/*
 * The file that tells others the process id of the master.
 */
#ifndef GATEWAY_PID_FILE_H
#define GATEWAY_PID_FILE_H

#include <stdbool.h>

/*
 * Writes our process id to the file, whole or not at all; "" is no file. False, logged, if it
 * can't be.
 */
bool pid_file_write(const char *path);
/* Removes the file if it still holds our process id. */
void pid_file_remove(const char *path);

#endif
