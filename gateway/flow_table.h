/*
 * The flows: what the gateway can do with a request, step by step. The first file to open.
 */
#ifndef GATEWAY_FLOW_TABLE_H
#define GATEWAY_FLOW_TABLE_H

#include "gateway/request/step.h"

enum flow_name {
	FLOW_PROXY,
	FLOW_TOKEN,
	FLOW_INTROSPECT,
	FLOW_REVOKE,
	FLOW_JWKS,
	FLOW_METADATA,
	FLOW_RESOURCE,
	FLOW_LOGOUT,
	FLOW_COUNT,
};

extern const struct flow flow_table[FLOW_COUNT];

#endif
