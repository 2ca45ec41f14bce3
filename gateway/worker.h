/*
 * A worker: one event loop that takes clients through the gate.
 */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include "gateway/process.h"

/* The life of a worker; returns its exit status. */
int worker_main(struct process *process);

#endif
