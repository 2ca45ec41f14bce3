/*
 * A page of metrics as Prometheus reads it (text format 0.0.4), for who is asked to show them.
 *
 * A page takes the sums of all that was counted in any process, then what its maker measures and
 * adds, and writes them in the order of metric.def. Nothing here is for hot paths.
 */
#ifndef GATEWAY_BASE_METRIC_PAGE_H
#define GATEWAY_BASE_METRIC_PAGE_H

#include "gateway/base/metric.h"

struct metric_page;

/* Gathers the sums; NULL when there is no memory. The process must have called metric_open(). */
struct metric_page *metric_page_new(const struct counter *c, const struct names *n);
/*
 * metric_page_set(page, METRIC_JWKS_AGE, 12.5, issuer_label): adds one series. Labels as in
 * metric_count().
 */
#define metric_page_set(page, metric, value, ...) \
	metric_page_add((page), (metric), (value), (const uint16_t[METRIC_LABELS]){ __VA_ARGS__ })
void metric_page_add(struct metric_page *page, enum metric m, double value,
    const uint16_t label[METRIC_LABELS]);
/* Writes the page; the caller frees *text. False when there was no memory for all of it. */
bool metric_page_write(struct metric_page *page, char **text, size_t *n);
/* Frees it; NULL is fine; the pointer becomes NULL. */
void metric_page_free(struct metric_page **page);

#endif
