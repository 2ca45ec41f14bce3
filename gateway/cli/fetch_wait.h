/*
 * Runs a fetch to its end, for commands: it blocks.
 */
#ifndef GATEWAY_CLI_FETCH_WAIT_H
#define GATEWAY_CLI_FETCH_WAIT_H

#include "gateway/http/fetch.h"

/* DONE or FAIL, as fetch_run() says it; its own deadline ends the wait. */
enum run fetch_wait(struct fetch *f);

#endif
