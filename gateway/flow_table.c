#include "gateway/flow_table.h"

#include "gateway/access/access.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/publish.h"

const struct flow flow_table[FLOW_COUNT] = {
	[FLOW_PROXY] = { "proxy", { find_route, find_token, recall_verdict,
	    look_up_token, verify_token, introspect_token, know_consumer, check_revocation,
	    check_policy, limit_rate, check_form, forward } },
	[FLOW_TOKEN] = { "token", { read_form, authenticate_client, choose_grant } },
	[FLOW_INTROSPECT] = { "introspect", { read_form, authenticate_client, take_token,
	    recall_verdict, look_up_token, verify_token, introspect_token,
	    describe_token } },
	[FLOW_REVOKE] = { "revoke", { read_form, authenticate_client, take_token,
	    recall_verdict, look_up_token, verify_token, introspect_token,
	    revoke_token } },
	[FLOW_JWKS] = { "jwks", { answer_jwks } },
	[FLOW_METADATA] = { "metadata", { answer_metadata } },
	[FLOW_RESOURCE] = { "resource", { answer_resource } },
	[FLOW_LOGOUT] = { "logout", { read_form, verify_logout, revoke_logout } },
};
