#include "gateway/db/book.h"

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/base/shared.h"
#include "gateway/loop/loop.h"
#include "shm/hash.h"

/*
 * A page is what the book says of one id: a record, that there is none, or nothing yet. It stands
 * in a hash table, and in one of two lists in the order of use: ids that are known, and all others.
 *
 * A page answers a search if it is no older than the search demands: looked up under the generation
 * of records that was current when the search began, or later, and within the page's time or since
 * the search began. Else the page's query is begun, or the one under way is waited for; its end
 * wakes all who wait, and each looks for itself whether that was enough. A record that may outlive
 * its time is not waited for: it answers once more, while its query is under way.
 */

#define KNOWN_MAX	10000
#define OTHER_MAX	1000
#define RETRY_MS	1000	/* between two queries that nobody waits for */
#define BUCKETS		16384

enum page_kind {
	PAGE_KNOWN,
	PAGE_OTHER,		/* unknown, or not looked up yet */
	PAGE_KINDS
};

enum page_state {
	PAGE_EMPTY,
	PAGE_RECORD,
	PAGE_NO_RECORD,
};

/* A record, which the page and searches hold. */
struct book_entry {
	unsigned		 holders;
	const struct book_kind	*kind;
	void			*record;
};

struct book_page {
	struct book	*book;
	struct book_page	*next;		/* in its bucket */
	struct book_page	*newer, *older;	/* in its list */
	enum page_kind		 kind;
	enum page_state		 state;
	struct book_entry	*entry;
	uint64_t		 asked_ms;	/* when the query that it is from began */
	uint64_t		 generation;	/* of all records, then */
	bool			 failed;	/* the last query brought nothing ... */
	uint64_t		 failed_ms;	/* ... at this time */
	bool			 querying;
	uint64_t		 querying_ms;
	uint64_t		 querying_generation;
	struct db_query		 query;
	struct task		 task;
	struct book_search	*searches;	/* that wait */
	size_t			 id_n;
	char			 id[];
};

struct page_list {
	struct book_page	*newest, *oldest;
	size_t			 n;
};

struct book {
	const struct book_kind	*kind;
	struct loop		*loop;
	struct db		*db;
	const struct shared	*shared;
	struct page_list	 lists[PAGE_KINDS];
	struct book_page	*buckets[BUCKETS];
};

struct book *
book_new(struct loop *loop, struct db *db, const struct shared *shared,
    const struct book_kind *kind)
{
	struct book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return NULL;
	book->kind = kind;
	book->loop = loop;
	book->db = db;
	book->shared = shared;
	return book;
}

static uint64_t
current_generation(const struct book *book)
{
	return atomic_load_explicit(&book->shared->control->clients_generation,
	    memory_order_acquire);
}

static struct book_page **
bucket_of(const struct book *book, struct span id)
{
	uint64_t hash = hash_bytes(id.p, id.n, book->shared->control->boot_key);

	return (struct book_page **)&book->buckets[hash % BUCKETS];
}

static struct span
page_id(const struct book_page *page)
{
	return span_make(page->id, page->id_n);
}

static struct book_page *
find_page(const struct book *book, struct span id)
{
	struct book_page *page = *bucket_of(book, id);

	while (page != NULL && !span_eq(page_id(page), id))
		page = page->next;
	return page;
}

static void
leave_list(struct book_page *page)
{
	struct page_list *list = &page->book->lists[page->kind];

	*(page->newer != NULL ? &page->newer->older : &list->newest) = page->older;
	*(page->older != NULL ? &page->older->newer : &list->oldest) = page->newer;
	list->n--;
}

static void
join_list(struct book_page *page, enum page_kind kind)
{
	struct page_list *list = &page->book->lists[kind];

	page->kind = kind;
	page->newer = NULL;
	page->older = list->newest;
	*(list->newest != NULL ? &list->newest->newer : &list->oldest) = page;
	list->newest = page;
	list->n++;
}

static void
release(struct book_entry *entry)
{
	if (entry == NULL || --entry->holders > 0)
		return;
	entry->kind->free(entry->record);
	free(entry);
}

static void
free_page(struct book_page *page)
{
	struct book_page **link = bucket_of(page->book, page_id(page));

	must(page->searches == NULL);
	while (*link != page)
		link = &(*link)->next;
	*link = page->next;
	leave_list(page);
	db_end(&page->query);
	task_end(page->book->loop, &page->task);
	release(page->entry);
	free(page);
}

void
book_free(struct book **book)
{
	struct book *b = *book;

	*book = NULL;
	if (b == NULL)
		return;
	for (int kind = 0; kind < PAGE_KINDS; kind++)
		while (b->lists[kind].oldest != NULL)
			free_page(b->lists[kind].oldest);
	free(b);
}

/* Frees the pages that were not used for longest and that nobody waits for. */
static void
make_room(struct book *book, enum page_kind kind, size_t most)
{
	struct book_page *page = book->lists[kind].oldest, *newer;

	for (; page != NULL && book->lists[kind].n >= most; page = newer) {
		newer = page->newer;
		if (!page->querying && page->searches == NULL)
			free_page(page);
	}
}

static void
wake_searches(struct book_page *page)
{
	for (struct book_search *s = page->searches; s != NULL; s = s->next)
		task_wake(page->book->loop, s->task);
}

/* The page says this now; NULL with PAGE_RECORD can't be. */
static void
turn_to(struct book_page *page, enum page_state state, struct book_entry *entry)
{
	enum page_kind kind = state == PAGE_RECORD ? PAGE_KNOWN : PAGE_OTHER;

	release(page->entry);
	page->entry = entry;
	page->state = state;
	page->asked_ms = page->querying_ms;
	page->generation = page->querying_generation;
	leave_list(page);
	join_list(page, kind);
}

/* The query has brought its rows; false if they can't be understood, or kept. */
static bool
take_result(struct book_page *page)
{
	const struct book_kind *kind = page->book->kind;
	struct book_entry *entry = calloc(1, sizeof(*entry));
	void *record = NULL;

	if (entry == NULL || !kind->read(&page->query, page_id(page), &record)) {
		free(entry);
		turn_to(page, PAGE_EMPTY, NULL);
		return false;
	}
	if (record == NULL) {
		free(entry);
		turn_to(page, PAGE_NO_RECORD, NULL);
		return true;
	}
	*entry = (struct book_entry){ 1, kind, record };
	turn_to(page, PAGE_RECORD, entry);
	return true;
}

static void
run_query(struct book_page *page)
{
	enum run run = db_run(page->book->db, &page->query);

	if (run == RUN_WAIT)
		return;
	page->failed = run == RUN_FAIL || !take_result(page);
	page->failed_ms = loop_now_ms(page->book->loop);
	db_end(&page->query);
	page->querying = false;
	wake_searches(page);
}

static void
run_page(struct loop *loop, struct task *task)
{
	struct book_page *page = (struct book_page *)((char *)task -
	    offsetof(struct book_page, task));

	(void)loop;
	if (page->querying)
		run_query(page);
}

static void
begin_query(struct book_page *page)
{
	page->query = (struct db_query){ .statement = page->book->kind->statement,
		.task = &page->task };
	page->query.params[0] = page_id(page);
	page->querying = true;
	page->querying_ms = loop_now_ms(page->book->loop);
	page->querying_generation = current_generation(page->book);
	run_query(page);
}

static struct book_page *
add_page(struct book *book, struct span id)
{
	struct book_page **bucket = bucket_of(book, id);

	make_room(book, PAGE_OTHER, OTHER_MAX);
	make_room(book, PAGE_KNOWN, KNOWN_MAX);
	struct book_page *page = calloc(1, sizeof(*page) + id.n);
	if (page == NULL)
		return NULL;
	page->book = book;
	page->id_n = id.n;
	memcpy(page->id, id.p, id.n);
	task_init(&page->task, run_page);
	page->next = *bucket;
	*bucket = page;
	join_list(page, PAGE_OTHER);
	return page;
}

static bool
is_fresh(const struct book_page *page, uint64_t generation, uint64_t began_ms)
{
	const struct book_kind *kind = page->book->kind;
	uint64_t kept_ms = page->state == PAGE_RECORD ? kind->known_ms : kind->unknown_ms;

	return page->state != PAGE_EMPTY && page->generation >= generation &&
	    (page->asked_ms >= began_ms ||
	    loop_now_ms(page->book->loop) - page->asked_ms < kept_ms);
}

static void
stop_waiting(struct book_search *s)
{
	if (s->page == NULL)
		return;
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	s->page = NULL;
}

static enum book_answer
answer(struct book_search *s, struct book_page *page)
{
	stop_waiting(s);
	if (page->state == PAGE_NO_RECORD)
		return BOOK_UNKNOWN;
	if (page->book->lists[PAGE_KNOWN].newest != page) {
		leave_list(page);
		join_list(page, PAGE_KNOWN);
	}
	s->entry = page->entry;
	s->entry->holders++;
	s->record = s->entry->record;
	return BOOK_FOUND;
}

static void
wait_at(struct book_search *s, struct book_page *page)
{
	if (s->page != NULL)
		return;
	s->page = page;
	s->link = &page->searches;
	s->next = page->searches;
	if (s->next != NULL)
		s->next->link = &s->next;
	page->searches = s;
}

/* A record that may outlive its time answers now; that it is looked up again, nobody waits for. */
static bool
still_answers(struct book_page *page, uint64_t generation)
{
	if (!page->book->kind->outlives || page->state != PAGE_RECORD ||
	    page->generation < generation)
		return false;
	if (!page->querying && (!page->failed ||
	    loop_now_ms(page->book->loop) - page->failed_ms >= RETRY_MS))
		begin_query(page);
	return page->state == PAGE_RECORD;
}

static void
begin_search(struct book *book, struct book_search *s)
{
	s->book = book;
	s->began_ms = loop_now_ms(book->loop);
	s->generation = current_generation(book);
}

enum book_answer
book_find(struct book *book, struct book_search *s)
{
	struct book_page *page = s->page != NULL ? s->page : find_page(book, s->id);

	if (s->book == NULL)
		begin_search(book, s);
	if (page == NULL && (page = add_page(book, s->id)) == NULL)
		return BOOK_UNAVAILABLE;
	/* two rounds: a query that was under way already may have begun too early */
	for (;;) {
		if (is_fresh(page, s->generation, s->began_ms) ||
		    still_answers(page, s->generation))
			return answer(s, page);
		if (page->querying) {
			wait_at(s, page);
			return BOOK_WAIT;
		}
		if (page->failed && page->failed_ms >= s->began_ms) {
			stop_waiting(s);
			return BOOK_UNAVAILABLE;
		}
		begin_query(page);
	}
}

void
book_search_end(struct book_search *s)
{
	stop_waiting(s);
	release(s->entry);
	s->entry = NULL;
	s->record = NULL;
}

bool
book_knows(const struct book *book, struct span id)
{
	const struct book_page *page = find_page(book, id);

	return page != NULL && page->state == PAGE_RECORD;
}
