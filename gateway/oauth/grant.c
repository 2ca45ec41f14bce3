#include "gateway/oauth/grant.h"

#include "gateway/access/access.h"
#include "gateway/base/metric.h"
#include "gateway/base/must.h"
#include "gateway/oauth/answer.h"
#include "gateway/oauth/oauth.h"

#define SPAN_INIT(literal)	{ "" literal, sizeof(literal) - 1 }

static const struct grant grants[GRANT_COUNT] = {
#define GRANT(id, name, ...) \
	[GRANT_##id] = { GRANT_##id, SPAN_INIT(name), { name, { __VA_ARGS__ } } },
#include "gateway/oauth/grant.def"
#undef GRANT
};

const struct grant *
grant_find(struct span name)
{
	for (size_t i = 0; i < GRANT_COUNT; i++)
		if (span_eq(grants[i].name, name))
			return &grants[i];
	return NULL;
}

const struct grant *
grant_row(enum grant_id id)
{
	must((size_t)id < GRANT_COUNT);
	return &grants[id];
}

void
grant_count(const struct grant *grant)
{
	static uint16_t labels[GRANT_COUNT];
	uint16_t *label = &labels[grant->id];

	if (*label == 0)
		*label = metric_name(grant->name);
	metric_count(METRIC_TOKENS_ISSUED, *label);
}

enum step_result
choose_grant(struct request *r)
{
	struct oauth *o = r->oauth;
	struct span type = form_get(&o->form, SPAN("grant_type"));

	if (type.n == 0)
		return fault(r, FAULT_NO_GRANT);
	if ((o->grant = grant_find(type)) == NULL)
		return fault(r, FAULT_GRANT_UNKNOWN);
	if (!(o->client->grants & GRANT_BIT(o->grant->id)))
		return fault(r, FAULT_GRANT_DENIED);
	return step_switch(r, &o->grant->flow);
}
