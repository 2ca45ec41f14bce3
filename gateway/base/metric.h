/*
 * Metrics are counted by every process in a slab of its own, and summed when somebody asks.
 *
 * What is counted stands in metric.def, one row a metric. Counting takes a plain add or two in shared
 * memory that only this process writes: no lock, no allocation, no atomic read-modify-write. A series
 * is a metric with its labels; labels are numbers, or the small ids of names (metric_name()), which stay
 * the same over reloads and restarts. Before metric_open() counting does nothing, so code can be tested
 * without shared memory.
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
	METRIC_PROCESS,		/* a gauge: what each process holds now */
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
 * Gives this process (pid) a slab of its own in `c`, from now on; gauges the slab's last owner left behind
 * start from 0. After a fork the child calls it anew, before it counts. False: no slab is free,
 * and nothing is counted.
 */
bool metric_open(struct counter *c, struct names *n, pid_t pid);
/* Gives the slab back; what was counted stays in the sums. Safe if there is none. */
void metric_close(void);
/* The label of a name, for use in any series; 0 (shown as "") if no more names fit. Not for hot paths. */
uint16_t metric_name(struct span name);

/* The 64-bit id of a series; never 0. The lowest byte tells the parts of a histogram apart. */
static inline uint64_t
metric_series(enum metric m, const uint16_t label[METRIC_LABELS])
{
	return (uint64_t)m << 56 | (uint64_t)label[0] << 40 | (uint64_t)label[1] << 24 |
	    (uint64_t)label[2] << 8;
}

/* Adds to a series. */
void metric_series_add(uint64_t series, uint64_t n);
/* Puts a time into a histogram. */
void metric_series_time(uint64_t series, uint64_t us);

/* metric_count(METRIC_REQUESTS, route_label, status, verdict_label): one more. Labels in the row's order. */
#define metric_count(metric, ...)	metric_add((metric), 1, __VA_ARGS__)
/* The same for n at once. */
#define metric_add(metric, n, ...) \
	metric_series_add(metric_series((metric), (const uint16_t[METRIC_LABELS]){ __VA_ARGS__ }), (n))
/* metric_move(METRIC_CLIENT_CONNECTIONS, -1): changes what this process holds. */
#define metric_move(metric, change, ...) \
	metric_add((metric), (uint64_t)(int64_t)(change), __VA_ARGS__)
/* metric_time_us(METRIC_REQUEST_DURATION, us): a histogram. */
#define metric_time_us(metric, us, ...) \
	metric_series_time(metric_series((metric), (const uint16_t[METRIC_LABELS]){ __VA_ARGS__ }), (us))

#endif
