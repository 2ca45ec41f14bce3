/*
 * Plain text: what others wrote, made fit to be shown on a terminal.
 *
 * Subjects, scopes and jtis come out of tokens of any issuer. A terminal would obey some of their
 * characters (controls, C1 among them, and what turns the direction of writing), so an
 * operator would read what a stranger wants.
 */
#ifndef GATEWAY_CLI_PLAIN_H
#define GATEWAY_CLI_PLAIN_H

/* Each byte of such a character, and of what is no UTF-8, becomes "?"; newlines stay. */
void plain_text(char *text);

#endif
