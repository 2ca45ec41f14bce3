/*
 * A book: what is known of the store's records of one kind, per worker.
 *
 * A record is looked up once and believed for a while, or until the store says that some record
 * has changed (the generation in shared memory), so that most requests need no query. One query at
 * a time is under way for an id, whoever waits for it. Ids that nothing has are remembered for a
 * few seconds, apart from the others, so that made-up ones push no record out. Both are bounded;
 * the ones not used for longest are forgotten first.
 *
 * While the database is away, records that are not fresh are not used, except those of a kind that
 * may outlive their time: these answer until a change is heard of, and are looked up meanwhile.
 */
#ifndef GATEWAY_DB_BOOK_H
#define GATEWAY_DB_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/db/db.h"

struct book;
struct book_entry;
struct book_page;

/* For records of which the feed tells every change: the usual times. */
#define BOOK_KNOWN_MS	60000
#define BOOK_UNKNOWN_MS	5000

/* What a book is about. */
struct book_kind {
	enum sql	 statement;		/* its one parameter is the id */
	/*
	 * Makes a record of the rows of a finished query; *record stays NULL: there is none. False
	 * without memory, or when the rows make no sense.
	 */
	bool		(*read)(const struct db_query *query, struct span id, void **record);
	void		(*free)(void *record);
	/* so long an answer is believed, if no change is heard of */
	uint64_t	  known_ms, unknown_ms;
	bool		  outlives;		/* later a record answers too, and is looked up */
};

enum book_answer {
	BOOK_WAIT,		/* the task is woken when there is an answer */
	BOOK_FOUND,
	BOOK_UNKNOWN,
	BOOK_UNAVAILABLE,	/* the database can't be asked, or there is no memory */
};

/* A search, zeroed but for id and task, which must stay until it has ended. */
struct book_search {
	struct span		 id;
	struct task		*task;
	void			*record;	/* with BOOK_FOUND; held until the search ends */
	/* the book's own */
	struct book		*book;
	struct book_entry	*entry;
	struct book_page	*page;		/* waited for */
	struct book_search	*next, **link;
	uint64_t		 began_ms;
	uint64_t		 generation;
};

/* A worker's book of one kind; NULL without memory. */
struct book *book_new(struct loop *loop, struct db *db, const struct shared *shared,
    const struct book_kind *kind);
/* Frees it when no search is under way; NULL is fine; the pointer becomes NULL. */
void book_free(struct book **book);

/* Begins a search or goes on with it. */
enum book_answer book_find(struct book *book, struct book_search *search);
/* Ends it in any state; the record is held no more. */
void book_search_end(struct book_search *search);
/* True if the book has said lately that there is such a record, whatever has changed since. */
bool book_knows(const struct book *book, struct span id);

#endif
