#include "gateway/oauth/service.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/db/batch.h"
#include "gateway/oauth/client_book.h"
#include "gateway/token/alg.h"
#include "gateway/token/opaque.h"

/* The last two are those of exchanged tokens only. */
static const enum value_type token_columns[] = {
	VALUE_UUID, VALUE_BYTEA, VALUE_INT8, VALUE_TIMESTAMPTZ, VALUE_TIMESTAMPTZ, VALUE_TEXT,
	VALUE_TEXT, VALUE_TEXT, VALUE_TEXT,
};

#define COLUMNS(array)	(array), sizeof(array) / sizeof((array)[0])
#define LONE_COLUMNS	7

/* The token endpoint stands at the issuer's host, below the configured path. */
static char *
make_endpoint(const struct config_token_service *config)
{
	const char *host = strstr(config->issuer, "://");
	const char *path = host == NULL ? NULL : strchr(host + 3, '/');
	int n = path == NULL ? (int)strlen(config->issuer) : (int)(path - config->issuer);
	char *url;

	return asprintf(&url, "%.*s%s/token", n, config->issuer, config->path) < 0 ? NULL : url;
}

struct service *
service_open(struct gate *gate)
{
	const struct config_token_service *config = gate->config->token_service;
	struct service *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->config = config;
	s->issuer = span_of(config->issuer);
	s->token_endpoint = span_of(make_endpoint(config));
	s->book = book_new(gate->loop, gate->db, gate->shared, &client_book);
	s->tools = alg_tools_new();
	s->values = calloc(SERVICE_VALUES, sizeof(*s->values));
	s->tokens = batch_new(gate->loop, gate->db, SQL_INSERT_TOKENS, token_columns, LONE_COLUMNS);
	s->exchanged = batch_new(gate->loop, gate->db, SQL_INSERT_EXCHANGED,
	    COLUMNS(token_columns));
	s->patience_ms = gate->config->database->timeout_ms;
	if (s->token_endpoint.p == NULL || s->book == NULL || s->tools == NULL ||
	    s->values == NULL || s->tokens == NULL || s->exchanged == NULL ||
	    !seal_derive(config->encryption_key, SEAL_REFRESH_TOKENS, &s->refresh_key) ||
	    !opaque_derive_key(s->issuer, config->encryption_key, &s->opaque_key)) {
		log_error("the token service can't be opened: out of memory, or OpenSSL fails");
		service_close(&s);
	} else {
		gate->opaque_key = &s->opaque_key;
	}
	return s;
}

void
service_close(struct service **service)
{
	struct service *s = *service;

	*service = NULL;
	if (s == NULL)
		return;
	book_free(&s->book);
	batch_free(&s->tokens);
	batch_free(&s->exchanged);
	alg_tools_free(&s->tools);
	seal_forget(&s->refresh_key);
	seal_forget(&s->opaque_key);
	chance_forget(&s->chance);
	free(s->values);
	free((char *)s->token_endpoint.p);
	free(s);
}
