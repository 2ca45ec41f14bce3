/*
 * A client's record, made from the row that SQL_FIND_CLIENT found.
 */
#ifndef GATEWAY_OAUTH_CLIENT_ROW_H
#define GATEWAY_OAUTH_CLIENT_ROW_H

#include "gateway/db/db.h"
#include "gateway/oauth/client_book.h"

/*
 * The record of the first row of a finished query; NULL without memory, or when the row makes no
 * sense (the log tells). One block of memory holds all of it but the keys.
 */
struct oauth_client *client_row_read(const struct db_query *query, struct span id);
/* Frees it and its keys, and wipes what is secret; NULL is fine; the pointer becomes NULL. */
void client_row_free(struct oauth_client **client);

#endif
