#include <stdio.h>

#include "gateway/oauth/oauth.h"
#include "gateway/oauth/refresh.h"
#include "tests/unit/access_support.h"

static struct span scopes[] = { SPAN("a"), SPAN("b"), SPAN("c:d") };
static struct span audiences[] = { SPAN("billing"), SPAN("https://api.test/v1"), SPAN("orders") };
static struct span usual[] = { SPAN("orders"), SPAN("\"odd\"") };
static struct config_token_service service_conf = { .audience = usual, .n_audience = 2 };
static struct oauth_client client = { .scopes = scopes, .n_scopes = 3, .audiences = audiences,
    .n_audiences = 3 };
static struct refresh_search given;
static struct oauth oauth;
static char form_bytes[4096];

static void
ask(const char *form)
{
	size_t n = strlen(form);

	receive("");
	config.token_service = &service_conf;
	memcpy(form_bytes, form, n);
	oauth = (struct oauth){ .client = &client, .refresh = &given };
	ck_assert_int_eq(form_parse(&oauth.form, form_bytes, n), FORM_FINE);
	request.oauth = &oauth;
}

static void
ck_scope(const char *form, const char *scope)
{
	ask(form);
	ck_assert_int_eq(settle_scope(&request), STEP_NEXT);
	ck_assert_span(oauth.scope, span_of(scope));
}

static void
ck_audience(const char *form, const char *audience, size_t n)
{
	ask(form);
	ck_assert_int_eq(settle_target(&request), STEP_NEXT);
	ck_assert_span(oauth.audience, span_of(audience));
	ck_assert_uint_eq(oauth.n_audiences, n);
}

static void
ck_refused(const char *form, step_function *settle, const char *error)
{
	ask(form);
	ck_assert_msg(settle(&request) == STEP_END, "%s", form);
	ck_answer(400, "no-store", error);
}

START_TEST(a_scope_has_one_spelling)
{
	ck_scope("scope=a", "a");
	ck_scope("scope=c:d+a", "a c:d");
	ck_scope("scope=+b++a+b+", "a b");
	ck_scope("", "a b c:d");
	ck_scope("scope=", "a b c:d");
	ck_scope("scope=+", "a b c:d");
}
END_TEST

START_TEST(a_scope_reaches_no_further_than_the_clients)
{
	static const char *const bad[] = {
		"scope=x", "scope=a+x", "scope=A", "scope=a%09b", "scope=c", "scope=c:d:e",
		"scope=a,b", "scope=%22a%22",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_refused(bad[i], settle_scope, "invalid_scope");
	client.n_scopes = 0;
	ck_refused("scope=a", settle_scope, "invalid_scope");
	ck_scope("", "");
	client.n_scopes = 3;
}
END_TEST

START_TEST(an_audience_has_one_spelling)
{
	ck_audience("", "[\"orders\",\"\\\"odd\\\"\"]", 2);
	ck_audience("audience=orders", "[\"orders\"]", 1);
	ck_audience("audience=orders&audience=billing&audience=orders",
	    "[\"billing\",\"orders\"]", 2);
	ck_audience("resource=https://api.test/v1&audience=billing",
	    "[\"billing\",\"https://api.test/v1\"]", 2);
	ck_audience("audience=%22odd%22", "[\"\\\"odd\\\"\"]", 1);
}
END_TEST

START_TEST(an_audience_is_one_that_the_client_may_reach)
{
	ck_refused("audience=x", settle_target, "invalid_target");
	ck_refused("audience=orders&audience=x", settle_target, "invalid_target");
	ck_refused("audience=ORDERS", settle_target, "invalid_target");
	ck_refused("resource=orders", settle_target, "invalid_target");
	ck_refused("resource=https://api.test/v1%23x", settle_target, "invalid_target");
	ck_refused("resource=https://api.test/v2", settle_target, "invalid_target");
	client.n_audiences = 0;
	ck_audience("audience=orders", "[\"orders\"]", 1);
	ck_refused("audience=billing", settle_target, "invalid_target");
	client.n_audiences = 3;
}
END_TEST

static void
ck_again(const char *form, const char *scope, const char *audience)
{
	ask(form);
	ck_assert_int_eq(settle_again(&request), STEP_NEXT);
	ck_assert_span(oauth.scope, span_of(scope));
	ck_assert_span(oauth.audience, span_of(audience));
}

START_TEST(what_was_given_shrinks_and_never_grows)
{
	struct span had[] = { SPAN("orders"), SPAN("gone") };

	given = (struct refresh_search){ .scope = SPAN("b c:d lost"), .audiences = had,
		.n_audiences = 2 };
	ck_again("", "b c:d", "[\"orders\"]");
	ck_again("scope=b&audience=orders", "b", "[\"orders\"]");
	ck_refused("scope=a", settle_again, "invalid_scope");
	ck_refused("scope=lost", settle_again, "invalid_scope");
	ck_refused("audience=billing", settle_again, "invalid_target");
	ck_refused("audience=gone", settle_again, "invalid_target");
	/* the client may reach none of it any more */
	given.audiences = had + 1;
	given.n_audiences = 1;
	ck_refused("", settle_again, "invalid_target");
}
END_TEST

static void
ck_within(const char *form, const char *of, const char *scope)
{
	ask(form);
	ck_assert_msg(settle_scope_within(&request, span_of(of)) == STEP_NEXT, "%s of %s", form, of);
	ck_assert_span(oauth.scope, span_of(scope));
}

static void
ck_not_within(const char *form, const char *of)
{
	ask(form);
	ck_assert_msg(settle_scope_within(&request, span_of(of)) == STEP_END, "%s of %s", form, of);
	ck_answer(400, "no-store", "invalid_scope");
}

START_TEST(a_scope_that_comes_of_another_is_within_both)
{
	char many[8192];
	struct text t = TEXT_OVER(many);

	ck_within("", "c:d x b", "c:d b");
	ck_within("scope=b", "c:d x b", "b");
	ck_within("scope=b+c:d", "c:d x b b", "c:d b");
	ck_within("", "b  b", "b");
	ck_not_within("scope=x", "c:d x b");
	ck_not_within("scope=a", "c:d x b");
	ck_not_within("scope=b+x", "c:d x b");
	ck_not_within("", "x y");
	ck_not_within("", "");
	ck_not_within("scope=b", "");
	client.n_scopes = 0;
	ck_within("", "x b x", "x b");
	ck_within("scope=b", "x b x", "b");
	ck_not_within("scope=a", "x b");
	ck_not_within("", "");
	/* what is beyond the limit is left out, not let through */
	for (unsigned i = 0; i < 600; i++)
		text_fmt(&t, "w%u ", i);
	text_char(&t, '\0');
	ck_within("scope=w511", many, "w511");
	ck_not_within("scope=w512", many);
	client.n_scopes = 3;
}
END_TEST

SUITE_RUN("oauth_settle", a_scope_has_one_spelling, a_scope_reaches_no_further_than_the_clients,
    an_audience_has_one_spelling, an_audience_is_one_that_the_client_may_reach,
    what_was_given_shrinks_and_never_grows,
    a_scope_that_comes_of_another_is_within_both)
