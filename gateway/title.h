/*
 * The title of a process, as ps(1) shows it.
 *
 * The kernel shows the memory of the arguments; the title is written over it, and over the
 * environment behind it, which is copied elsewhere first.
 */
#ifndef GATEWAY_TITLE_H
#define GATEWAY_TITLE_H

/*
 * Finds the room there is. Afterwards argv's strings may be overwritten at any title_set(): who
 * needs them copies them first. Without memory the title just never changes.
 */
void title_init(int argc, char **argv);
/* Sets the title; what does not fit is cut. */
void title_set(const char *title);

#endif
