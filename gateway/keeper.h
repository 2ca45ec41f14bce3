/*
 * The keeper: everything slow, periodic or shared, so that no worker ever has to do it.
 *
 * It keeps each issuer's keys fresh, checks the health of upstream servers, and serves the admin
 * listener. One keeper works on a shared memory at a time (process_await_office()), so one node
 * makes one fetch of a key set, however many workers want it. It is ready when every issuer's keys
 * were had or tried once.
 */
#ifndef GATEWAY_KEEPER_H
#define GATEWAY_KEEPER_H

#include "gateway/process.h"

/* The life of a keeper; returns its exit status. */
int keeper_main(struct process *process);

#endif
