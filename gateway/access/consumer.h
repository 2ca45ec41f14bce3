/*
 * Consumers that the store knows, for issuers whose tokens pass for known consumers only. A worker
 * has a book of them (gateway/db/book.h); what is done to consumers reaches it through the feed.
 */
#ifndef GATEWAY_ACCESS_CONSUMER_H
#define GATEWAY_ACCESS_CONSUMER_H

#include "gateway/conf/config.h"
#include "gateway/db/book.h"
#include "gateway/request/request.h"

/* The book: an id is a consumer's name or custom id, a record a struct consumer. */
extern const struct book_kind consumer_book;

/* True if an issuer of the configuration wants its consumers to be known. */
bool consumers_matter(const struct config *config);
/* True if the issuer's section lists this one. */
bool consumer_is_listed(const struct config_issuer *issuer, struct span consumer);

#endif
