#include "gateway/store.h"

#include <stddef.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/broom.h"
#include "gateway/db/db.h"
#include "gateway/feed.h"
#include "gateway/own_keys.h"

#define CHANNEL	"gatehouse_feed"	/* as the schema's triggers have it */

struct store {
	struct db	*db;
	struct feed	*feed;
	struct own_keys	*own_keys;	/* NULL: no token service is configured */
	struct broom	*broom;
	struct task	 news;
};

static void
run_news(struct loop *loop, struct task *task)
{
	struct store *s = (struct store *)((char *)task - offsetof(struct store, news));

	(void)loop;
	feed_wake(s->feed);
	if (s->own_keys != NULL)
		own_keys_wake(s->own_keys);
}

struct store *
store_new(struct loop *loop, const struct process *p, struct alg_tools *tools)
{
	const struct config *config = p->config;
	struct store *s = calloc(1, sizeof(*s));
	bool good = s != NULL;

	if (good && (s->db = db_open(loop, config->database, p->shared, p->slot)) != NULL) {
		task_init(&s->news, run_news);
		db_listen(s->db, CHANNEL, &s->news);
		s->feed = feed_new(loop, config, p->shared, s->db);
		s->broom = broom_new(loop, s->db);
		if (config->token_service != NULL)
			s->own_keys = own_keys_new(loop, config, p->shared, tools, s->db);
	}
	good = good && s->feed != NULL && s->broom != NULL &&
	    (config->token_service == NULL || s->own_keys != NULL);
	if (!good) {
		log_error("the keeper can't work with the database: it is out of memory");
		store_free(&s);
	}
	return s;
}

void
store_look(struct store *s)
{
	db_heard(s->db);
	if (s->own_keys != NULL)
		own_keys_look(s->own_keys);
}

bool
store_tried(const struct store *s)
{
	return feed_tried(s->feed) && (s->own_keys == NULL || own_keys_tried(s->own_keys));
}

void
store_free(struct store **store)
{
	struct store *s = *store;

	*store = NULL;
	if (s == NULL)
		return;
	feed_free(&s->feed);
	own_keys_free(&s->own_keys);
	broom_free(&s->broom);
	db_close(&s->db);
	free(s);
}
