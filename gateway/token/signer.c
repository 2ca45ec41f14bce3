#include "gateway/token/signer.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "gateway/base/encode.h"
#include "gateway/base/log.h"
#include "gateway/token/seal.h"
#include "shm/hash.h"

#define HEADER_MAX	(64 + 2 * JWKS_KID_MAX)
#define ROW_MAGIC	0x31594b47u

/* One key of this process. */
struct held {
	struct sign_key	key;
	int64_t		active_from_s;
	size_t		kid_n;
	char		kid[JWKS_KID_MAX];
	size_t		header_n;
	char		header[BASE64URL_ENCODED(HEADER_MAX)];
};

struct signer {
	const struct alg	*alg;		/* preferred */
	struct alg_tools	*tools;
	struct keys		*keys;
	struct keys_slot	 slot;
	bool			 has_slot;
	uint64_t		 generation;	/* of `held`; 0: none */
	struct seal_key		 seal;
	size_t			 n;
	struct held		*held;
	struct held		*chosen;
};

/* What stands before the texts of a row; of this machine's byte order, for it never leaves it. */
struct row_head {
	uint32_t	magic;
	uint32_t	kid_n;
	uint32_t	alg_n;
	uint32_t	sealed_n;
	int64_t		active_from_s;
};

void
signer_put(struct text *t, const struct signer_row *row)
{
	struct row_head head = { ROW_MAGIC, (uint32_t)row->kid.n, (uint32_t)row->alg.n,
		(uint32_t)row->sealed.n, row->active_from_s };

	text_put(t, span_make(&head, sizeof(head)));
	text_put(t, row->kid);
	text_put(t, row->alg);
	text_put(t, row->sealed);
}

static struct span
take(struct span *rest, size_t n)
{
	struct span taken = span_make(rest->p, n);

	*rest = span_skip(*rest, n);
	return taken;
}

bool
signer_next(struct span *rest, struct signer_row *row)
{
	struct row_head head;

	if (rest->n < sizeof(head))
		return false;
	memcpy(&head, take(rest, sizeof(head)).p, sizeof(head));
	if (head.magic != ROW_MAGIC ||
	    (uint64_t)head.kid_n + head.alg_n + head.sealed_n > rest->n)
		return false;
	row->active_from_s = head.active_from_s;
	row->kid = take(rest, head.kid_n);
	row->alg = take(rest, head.alg_n);
	row->sealed = take(rest, head.sealed_n);
	return true;
}

uint64_t
signer_slot_id(void)
{
	static const uint8_t key[HASH_KEY_SIZE] = "signing keys";
	static const char name[] = "self:signing";

	return hash_bytes(name, sizeof(name) - 1, key) | 1;
}

struct signer *
signer_open(struct span encryption_key, const struct alg *alg, struct keys *keys)
{
	struct signer *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->alg = alg;
	s->keys = keys;
	s->tools = alg_tools_new();
	s->held = calloc(JWKS_KEYS_MAX, sizeof(*s->held));
	if (s->tools == NULL || s->held == NULL ||
	    !seal_derive(encryption_key, SEAL_SIGNING_KEYS, &s->seal))
		signer_close(&s);
	return s;
}

static void
drop(struct signer *s)
{
	for (size_t i = 0; i < s->n; i++)
		sign_close(&s->held[i].key);
	s->n = 0;
	s->chosen = NULL;
}

void
signer_close(struct signer **signer)
{
	struct signer *s = *signer;

	*signer = NULL;
	if (s == NULL)
		return;
	drop(s);
	seal_forget(&s->seal);
	alg_tools_free(&s->tools);
	free(s->held);
	free(s);
}

static bool
write_header(struct held *h, const struct alg *alg)
{
	char memory[HEADER_MAX];
	struct text t = TEXT_OVER(memory);

	text_put(&t, SPAN("{\"alg\":"));
	text_json(&t, alg->name);
	text_put(&t, SPAN(",\"typ\":\"at+jwt\",\"kid\":"));
	text_json(&t, span_make(h->kid, h->kid_n));
	text_put(&t, SPAN("}"));
	h->header_n = base64url_encode((const uint8_t *)memory, t.n, h->header);
	return !t.cut;
}

/* Takes a row in; false: it can't be used, and why is in the log. */
static bool
hold(struct signer *s, const struct signer_row *row)
{
	struct held *h = &s->held[s->n];
	const struct alg *alg = alg_find(row->alg);
	uint8_t plain[4096];

	if (alg == NULL || row->kid.n > JWKS_KID_MAX || row->sealed.n < SEAL_EXTRA ||
	    row->sealed.n > sizeof(plain) + SEAL_EXTRA) {
		log_error("signing key \"%.*s\" is malformed", SPAN_ARG(row->kid));
		return false;
	}
	h->active_from_s = row->active_from_s;
	h->kid_n = row->kid.n;
	memcpy(h->kid, row->kid.p, row->kid.n);
	if (!seal_open(&s->seal, row->kid, row->sealed, plain)) {
		log_error("signing key \"%.*s\" can't be opened: it was sealed with another "
		    "encryption_key", SPAN_ARG(row->kid));
		return false;
	}
	size_t n = row->sealed.n - SEAL_EXTRA;
	bool good = write_header(h, alg) && sign_open(&h->key, s->tools, alg, span_make(plain, n));
	OPENSSL_cleanse(plain, n);
	if (!good)
		log_error("signing key \"%.*s\" can't be used", SPAN_ARG(row->kid));
	return good;
}

/* Reads the keys anew; the slot too is looked for anew, since it may have been given away. */
static void
reload(struct signer *s)
{
	char *bytes = malloc(KEYS_BYTES_MAX);
	struct signer_row row;

	drop(s);
	s->generation = 0;
	s->has_slot = keys_slot(s->keys, signer_slot_id(), false, &s->slot);
	if (bytes == NULL || !s->has_slot) {
		free(bytes);
		return;
	}
	struct span rest = span_make(bytes,
	    keys_read(&s->slot, bytes, KEYS_BYTES_MAX, &s->generation));
	while (s->n < JWKS_KEYS_MAX && signer_next(&rest, &row))
		if (hold(s, &row))
			s->n++;
	free(bytes);
}

/*
 * True if `a` should sign rather than `b`. A key that has not begun is better than none: the clock
 * of whoever made it may be ahead of ours, and it has been published.
 */
static bool
is_better(const struct signer *s, const struct held *a, const struct held *b, int64_t now_s)
{
	bool a_began = a->active_from_s <= now_s, b_began = b->active_from_s <= now_s;
	bool a_fits = a->key.alg == s->alg, b_fits = b->key.alg == s->alg;

	if (a_began != b_began)
		return a_began;
	if (a_fits != b_fits)
		return a_fits;
	if (a->active_from_s != b->active_from_s)
		return (a->active_from_s > b->active_from_s) == a_began;
	/* all nodes shall choose the same */
	size_t n = a->kid_n < b->kid_n ? a->kid_n : b->kid_n;
	int order = memcmp(a->kid, b->kid, n);
	return order != 0 ? order > 0 : a->kid_n > b->kid_n;
}

bool
signer_choose(struct signer *s, int64_t now_wall_s, struct span *header)
{
	if (!s->has_slot || keys_generation(&s->slot) != s->generation)
		reload(s);
	s->chosen = NULL;
	for (size_t i = 0; i < s->n; i++)
		if (s->chosen == NULL || is_better(s, &s->held[i], s->chosen, now_wall_s))
			s->chosen = &s->held[i];
	if (s->chosen == NULL)
		return false;
	*header = span_make(s->chosen->header, s->chosen->header_n);
	return true;
}

struct span
signer_kid(const struct signer *s)
{
	return s->chosen == NULL ? SPAN("") : span_make(s->chosen->kid, s->chosen->kid_n);
}

size_t
signer_sign(struct signer *s, struct span input, uint8_t out[SIGN_MAX])
{
	return s->chosen == NULL ? 0 : sign_make(&s->chosen->key, s->tools, input, out);
}
