#include "gateway/base/metric.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "shm/counter.h"
#include "shm/names.h"

const struct metric_row metric_table[METRIC_END] = {
#define METRIC(id, name, type, labels, help) \
	[METRIC_##id] = { name, METRIC_##type, labels, help },
#include "gateway/base/metric.def"
#undef METRIC
};

const uint32_t metric_bounds_us[METRIC_BOUNDS] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,
	2500000, 5000000, 10000000
};

/* A process has one slab, as it has one error log. */
static struct {
	struct counter		*counter;
	struct counter_slab	*slab;			/* NULL: nothing is counted */
	struct names		*names;
	int			 number;		/* of the slab */
	uint16_t		 ids[METRIC_END];	/* names of the metrics, 0: none was free */
} the_metrics;

static bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

/* The labels belong to a metric's name here, so a row that changes them starts from zero. */
static void
name_metrics(struct names *n)
{
	char name[NAMES_LEN_MAX];

	for (int m = METRIC_NONE + 1; m < METRIC_END; m++) {
		int len = snprintf(name, sizeof(name), "%s{%s}", metric_table[m].name,
		    metric_table[m].labels);

		the_metrics.ids[m] = names_intern(n, name, (size_t)len);
	}
}

bool
metric_open(struct counter *c, struct names *n, pid_t pid)
{
	the_metrics.names = n;
	the_metrics.counter = c;
	the_metrics.slab = NULL;
	name_metrics(n);
	the_metrics.number = counter_claim(c, pid, is_alive);
	if (the_metrics.number < 0)
		return false;
	the_metrics.slab = counter_slab(c, the_metrics.number);
	return true;
}

void
metric_close(void)
{
	if (the_metrics.slab != NULL)
		counter_release(the_metrics.counter, the_metrics.number);
	the_metrics.slab = NULL;
}

uint16_t
metric_name(struct span name)
{
	return the_metrics.names == NULL ? 0 : names_intern(the_metrics.names, name.p, name.n);
}

uint64_t
metric_series(enum metric m, const uint16_t label[METRIC_LABELS])
{
	if (the_metrics.ids[m] == 0)
		return 0;
	return (uint64_t)the_metrics.ids[m] << 48 | (uint64_t)label[0] << 32 |
	    (uint64_t)label[1] << 16 | label[2];
}

enum metric
metric_of(uint64_t series, uint16_t label[METRIC_LABELS])
{
	uint16_t id = (uint16_t)(series >> 48);

	label[0] = (uint16_t)(series >> 32);
	label[1] = (uint16_t)(series >> 16);
	label[2] = (uint16_t)series;
	for (int m = METRIC_NONE + 1; m < METRIC_END; m++)
		if (the_metrics.ids[m] == id && id != 0)
			return (enum metric)m;
	return METRIC_NONE;
}

void
metric_add_series(enum metric m, const uint16_t label[METRIC_LABELS], uint64_t n)
{
	uint64_t series = metric_series(m, label);

	if (the_metrics.slab != NULL && series != 0)
		counter_add(the_metrics.slab, series, n);
}

void
metric_add_time(enum metric m, const uint16_t label[METRIC_LABELS], uint64_t us)
{
	uint64_t series = metric_series(m, label);
	unsigned bucket = 0;

	if (the_metrics.slab == NULL || series == 0)
		return;
	while (bucket < METRIC_BOUNDS && us > metric_bounds_us[bucket])
		bucket++;
	counter_add(the_metrics.slab, series, us);
	counter_add(the_metrics.slab, series + 1 + bucket, 1);
}
