/*
 * Metrics are counted by every process in a slab of its own, and summed when somebody asks.
 *
 * What is counted stands in metric.def, one row a metric. Counting takes a plain add or two in
 * shared memory that only this process writes: no lock, no allocation. A series is a metric with
 * its labels; labels are numbers, or the small ids of names (metric_name()), which stay the same
 * over reloads and restarts, and so do the ids of the metrics themselves, whatever row of the
 * table they stand in. Before metric_open() counting does nothing, so code can be tested without
 * shared memory.
 */
#ifndef GATEWAY_BASE_METRIC_H
#define GATEWAY_BASE_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/base/span.h"

struct counter;
struct names;

enum metric {
	METRIC_NONE,
#define METRIC(id, name, type, labels, help)	METRIC_##id,
#include "gateway/base/metric.def"
#undef METRIC
	METRIC_END
};

enum metric_type {
	METRIC_COUNTER,		/* counted by processes, only ever grows */
	METRIC_HISTOGRAM,	/* times, counted by processes */
	METRIC_MEASURED,	/* a gauge the keeper measures when asked */
	METRIC_COUNTED,		/* a counter kept elsewhere, which the keeper reads when asked */
};

#define METRIC_LABELS	3

struct metric_row {
	const char		*name;		/* without "gatehouse_" */
	enum metric_type	 type;
	const char		*labels;	/* "route,#status" */
	const char		*help;
};

/* The rows of metric.def by id; [METRIC_NONE] is empty. */
extern const struct metric_row metric_table[METRIC_END];

/* Upper bounds of the buckets of every histogram, in microseconds; one more bucket has none. */
#define METRIC_BOUNDS	16
extern const uint32_t metric_bounds_us[METRIC_BOUNDS];

/*
 * Gives this process (pid) a slab of its own in `c`. After a fork the child calls it anew, before
 * it counts. False: no slab is free, and nothing is counted.
 */
bool metric_open(struct counter *c, struct names *n, pid_t pid);
/* Gives the slab back; what was counted stays in the sums. Safe if there is none. */
void metric_close(void);
/*
 * The label of a name, for use in any series; 0 (shown as "") if no more names fit. Not for hot
 * paths.
 */
uint16_t metric_name(struct span name);

/*
 * metric_count(METRIC_REQUESTS, route_label, status, verdict_label): one more. Labels in the
 * row's order.
 */
#define metric_count(metric, ...)	metric_add((metric), 1, __VA_ARGS__)
/* The same for n at once. */
#define metric_add(metric, n, ...) \
	metric_add_series((metric), (const uint16_t[METRIC_LABELS]){ __VA_ARGS__ }, (n))
/* metric_time_us(METRIC_REQUEST_DURATION, us): a time goes into a histogram. */
#define metric_time_us(metric, us, ...) \
	metric_add_time((metric), (const uint16_t[METRIC_LABELS]){ __VA_ARGS__ }, (us))

/* What the macros above call. */
void metric_add_series(enum metric m, const uint16_t label[METRIC_LABELS], uint64_t n);
void metric_add_time(enum metric m, const uint16_t label[METRIC_LABELS], uint64_t us);

/*
 * The 64-bit id of a series: metric, then labels, 16 bits each; 0 before metric_open(). The third
 * label of a histogram is 0 for the sum of microseconds, else 1 + the number of a bucket.
 */
uint64_t metric_series(enum metric m, const uint16_t label[METRIC_LABELS]);
/* The metric of such an id, METRIC_NONE if this binary knows none; sets its labels. */
enum metric metric_of(uint64_t series, uint16_t label[METRIC_LABELS]);

#endif
