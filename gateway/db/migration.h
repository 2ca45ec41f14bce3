/*
 * The migrations: the steps of the schema, as they were when this binary was built. The table is
 * made from migrations/ at build time, in the order of the versions, which begin at 1 and have no
 * gaps.
 */
#ifndef GATEWAY_DB_MIGRATION_H
#define GATEWAY_DB_MIGRATION_H

struct migration {
	unsigned	 version;
	const char	*name;		/* "0001_token_service" */
	const char	*text;		/* statements */
};

extern const struct migration migration_table[];
extern const unsigned migration_n;

#endif
