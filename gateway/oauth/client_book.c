#include "gateway/oauth/client_book.h"

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/base/shared.h"
#include "gateway/db/db.h"
#include "gateway/loop/loop.h"
#include "gateway/oauth/client_row.h"
#include "shm/hash.h"

/*
 * A page is what the book says of one id: a client, that there is none, or nothing yet. It stands
 * in a hash table, and in one of two lists in the order of use: ids that are known, and all others.
 *
 * A page answers a search if it is no older than the search demands: looked up under the generation
 * of clients that was current when the search began, or later, and within the page's time or since
 * the search began. Else the page's query is begun, or the one under way is waited for; its end
 * wakes all who wait, and each looks for itself whether that was enough.
 */

#define KNOWN_MAX	10000
#define OTHER_MAX	1000
#define KNOWN_MS	60000
#define UNKNOWN_MS	5000
#define BUCKETS		16384

enum page_kind {
	PAGE_KNOWN,
	PAGE_OTHER,		/* unknown, or not looked up yet */
	PAGE_KINDS
};

enum page_state {
	PAGE_EMPTY,
	PAGE_CLIENT,
	PAGE_NO_CLIENT,
};

struct book_page {
	struct client_book	*book;
	struct book_page	*next;		/* in its bucket */
	struct book_page	*newer, *older;	/* in its list */
	enum page_kind		 kind;
	enum page_state		 state;
	struct oauth_client	*client;
	uint64_t		 asked_ms;	/* when the query that it is from began */
	uint64_t		 generation;	/* of all clients, then */
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

struct client_book {
	struct loop		*loop;
	struct db		*db;
	const struct shared	*shared;
	struct page_list	 lists[PAGE_KINDS];
	struct book_page	*buckets[BUCKETS];
};

struct client_book *
client_book_new(struct loop *loop, struct db *db, const struct shared *shared)
{
	struct client_book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return NULL;
	book->loop = loop;
	book->db = db;
	book->shared = shared;
	return book;
}

static uint64_t
current_generation(const struct client_book *book)
{
	return atomic_load_explicit(&book->shared->control->clients_generation,
	    memory_order_acquire);
}

static struct book_page **
bucket_of(const struct client_book *book, struct span id)
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
find_page(const struct client_book *book, struct span id)
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
release(struct oauth_client *client)
{
	if (client != NULL && --client->holders == 0)
		client_row_free(&client);
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
	release(page->client);
	free(page);
}

void
client_book_free(struct client_book **book)
{
	struct client_book *b = *book;

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
make_room(struct client_book *book, enum page_kind kind, size_t most)
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

/* The query has brought its row, or that there is none. */
static void
take_result(struct book_page *page)
{
	struct oauth_client *client = NULL;

	if (db_rows(&page->query) > 0) {
		client = client_row_read(&page->query, page_id(page));
		if (client == NULL) {
			page->failed = true;
			return;
		}
		client->holders = 1;
	}
	release(page->client);
	page->client = client;
	page->state = client != NULL ? PAGE_CLIENT : PAGE_NO_CLIENT;
	page->asked_ms = page->querying_ms;
	page->generation = page->querying_generation;
	leave_list(page);
	join_list(page, client != NULL ? PAGE_KNOWN : PAGE_OTHER);
}

static void
run_query(struct book_page *page)
{
	enum run run = db_run(page->book->db, &page->query);

	if (run == RUN_WAIT)
		return;
	page->failed = run == RUN_FAIL;
	if (run == RUN_DONE)
		take_result(page);
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
	page->query = (struct db_query){ .statement = SQL_FIND_CLIENT, .task = &page->task };
	page->query.params[0] = page_id(page);
	page->querying = true;
	page->querying_ms = loop_now_ms(page->book->loop);
	page->querying_generation = current_generation(page->book);
	run_query(page);
}

static struct book_page *
add_page(struct client_book *book, struct span id)
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
	uint64_t kept_ms = page->state == PAGE_CLIENT ? KNOWN_MS : UNKNOWN_MS;

	return page->state != PAGE_EMPTY && page->generation >= generation &&
	    (page->asked_ms >= began_ms ||
	    loop_now_ms(page->book->loop) - page->asked_ms < kept_ms);
}

static enum book_answer
answer(struct book_search *s, struct book_page *page)
{
	if (page->state == PAGE_NO_CLIENT)
		return BOOK_UNKNOWN;
	if (page->book->lists[PAGE_KNOWN].newest != page) {
		leave_list(page);
		join_list(page, PAGE_KNOWN);
	}
	s->client = page->client;
	s->client->holders++;
	return BOOK_FOUND;
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

enum book_answer
book_find(struct client_book *book, struct book_search *s)
{
	struct book_page *page = s->page != NULL ? s->page : find_page(book, s->id);

	if (s->book == NULL) {
		s->book = book;
		s->began_ms = loop_now_ms(book->loop);
		s->generation = current_generation(book);
	}
	if (page == NULL && (page = add_page(book, s->id)) == NULL)
		return BOOK_UNAVAILABLE;
	/* two rounds: a query that was under way already may have begun too early */
	for (;;) {
		if (is_fresh(page, s->generation, s->began_ms)) {
			stop_waiting(s);
			return answer(s, page);
		}
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
	release(s->client);
	s->client = NULL;
}

bool
book_knows(const struct client_book *book, struct span id)
{
	const struct book_page *page = find_page(book, id);

	return page != NULL && page->state == PAGE_CLIENT;
}
