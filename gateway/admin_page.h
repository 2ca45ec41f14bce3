/*
 * What the admin listener answers: one row of a table per path.
 */
#ifndef GATEWAY_ADMIN_PAGE_H
#define GATEWAY_ADMIN_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/span.h"
#include "gateway/process.h"

/* What a page says. */
struct admin_page {
	unsigned	 status;
	const char	*type;		/* Content-Type */
	char		*body;		/* malloc'd */
	size_t		 n;
	struct span	 query;		/* of the target, what stands behind "?" */
};

/* Makes the page of a request target, 404 included. False when there is no memory. */
bool admin_page_make(const struct process *process, struct span target, struct admin_page *page);

#endif
