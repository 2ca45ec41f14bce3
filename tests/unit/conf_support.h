/* What the tests of the configuration share: a file of its own, loaded from a text. */
#ifndef TESTS_UNIT_CONF_SUPPORT_H
#define TESTS_UNIT_CONF_SUPPORT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/conf/config.h"

#define LISTEN		"listen \"127.0.0.1:0\" { }\n"
#define ISSUER		"issuer \"a\" { issuer = \"https://a.test\" audience = {\"x\"} }\n"
#define UPSTREAM	"upstream \"u\" { servers = {\"http://127.0.0.1:3000\"} }\n"
#define ROUTE		"route \"r\" { upstream = \"u\" }\n"
#define MINIMAL		LISTEN ISSUER UPSTREAM ROUTE

static char conf_folder[64];
static char conf_error[4096];

static inline const char *
conf_write(const char *name, const char *text, size_t n)
{
	static char path[128];

	if (conf_folder[0] == '\0') {
		strcpy(conf_folder, "/tmp/gatehouse-conf-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(conf_folder));
	}
	snprintf(path, sizeof(path), "%s/%s", conf_folder, name);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, n, file), n);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

/* Loads a text; NULL with conf_error set if it is refused. */
static inline struct config *
conf_load_bytes(const char *text, size_t n)
{
	const char *path = conf_write("test.conf", text, n);
	struct config *config = config_load(path, conf_error, sizeof(conf_error));

	unlink(path);
	rmdir(conf_folder);
	conf_folder[0] = '\0';
	return config;
}

static inline struct config *
conf_load(const char *text)
{
	return conf_load_bytes(text, strlen(text));
}

/* Loads a text that must be fine. */
static inline struct config *
conf_load_good(const char *text)
{
	struct config *config = conf_load(text);

	ck_assert_msg(config != NULL, "refused: %s", conf_error);
	return config;
}

#endif
