#include "gateway/access/access.h"

#include "tests/unit/access_support.h"

#define ck_token(lines, expected) do { \
	receive(lines); \
	ck_assert_msg(find_token(&request) == STEP_NEXT, "%s", lines); \
	ck_assert_span(request.token, SPAN(expected)); \
} while (0)
#define ck_no_credentials(lines) do { \
	receive(lines); \
	ck_assert_msg(find_token(&request) == STEP_END, "%s", lines); \
	ck_answer(400, "error=\"invalid_request\"", "Authorization"); \
	ck_assert_uint_eq(request.token.n, 0); \
} while (0)

START_TEST(finds_the_token)
{
	ck_token("", "");
	ck_token("Authorization: Bearer a.b.c\r\n", "a.b.c");
	ck_token("AUTHORIZATION: bEARER a.b.c \t\r\n", "a.b.c");
	ck_token("authorization:bearer   a.b.c\r\n", "a.b.c");
	ck_token("Authorization: Bearer a=b+/~\r\n", "a=b+/~");
	ck_token("Authorization: Basic dTpw\r\n", "");
	ck_token("Authorization: Bearera.b.c\r\n", "");
	ck_token("Authorization:\r\n", "");
	ck_token("Proxy-Authorization: Bearer a.b.c\r\n", "");
	ck_token("Cookie: Authorization=Bearer a\r\n", "");
}
END_TEST

START_TEST(guesses_nothing)
{
	ck_no_credentials("Authorization: Bearer\r\n");
	ck_no_credentials("Authorization: Bearer  \t\r\n");
	ck_no_credentials("Authorization: Bearer\ta.b.c\r\n");
	ck_no_credentials("Authorization: Bearer \ta.b.c\r\n");
	ck_no_credentials("Authorization: Bearer a b\r\n");
	ck_no_credentials("Authorization: Bearer a\tb\r\n");
	ck_no_credentials("Authorization: Bearer a,b\r\n");
	ck_no_credentials("Authorization: Bearer a, Bearer b\r\n");
	ck_no_credentials("Authorization: Bearer a\r\nAuthorization: Bearer a\r\n");
	ck_no_credentials("Authorization: Basic x\r\nAuthorization: Bearer a\r\n");
	ck_no_credentials("Authorization: Bearer a\r\nAuthorization:\r\n");
}
END_TEST

static void
get(const char *target)
{
	static char head[4096];
	struct text t = TEXT_OVER(head);

	text_fmt(&t, "GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\n\r\n", target);
	receive_from("192.0.2.7", text_span(&t));
}

START_TEST(a_query_is_no_place_for_a_token)
{
	get("/?x=1&access%5Ftoken=a.b.c");
	ck_assert_int_eq(find_token(&request), STEP_END);
	ck_answer(400, "invalid_request", "query");
	get("/?x=access_token");
	ck_assert_int_eq(find_token(&request), STEP_NEXT);
	ck_assert_span(request.token, SPAN("a"));
}
END_TEST

/* A carrier whose form comes in pieces, one a call. */
static const char *form;
static unsigned pieces_left;

static enum run
peek(struct request *r, struct text *t)
{
	(void)r;
	if (pieces_left == UINT32_MAX)
		return RUN_FAIL;
	if (pieces_left > 0) {
		pieces_left--;
		return RUN_WAIT;
	}
	text_put(t, span_of(form));
	return RUN_DONE;
}

static void
ask(struct request *r)
{
	(void)r;
}

static enum run
flush(struct request *r)
{
	(void)r;
	return RUN_DONE;
}

static bool
is_late(const struct request *r)
{
	(void)r;
	return false;
}

static const struct carrier carrier = {
	.peek_body = peek, .ask_body = ask, .flush = flush, .body_is_late = is_late,
};

static enum step_result
check(const char *body, unsigned pieces)
{
	enum step_result result;

	receive("Content-Type: Application/X-WWW-Form-URLencoded; charset=utf-8\r\n"
	    "Content-Length: 9\r\n");
	request.carrier = &carrier;
	form = body;
	pieces_left = pieces;
	while ((result = check_form(&request)) == STEP_WAIT)
		;
	return result;
}

START_TEST(nor_is_a_form)
{
	ck_assert_int_eq(check("a=b&access_token=x", 0), STEP_END);
	ck_answer(400, "invalid_request", "body");
	ck_assert_int_eq(check("%61ccess_token=x", 3), STEP_END);
	ck_assert_int_eq(check("access_tokens=x", 0), STEP_NEXT);
	ck_assert_int_eq(check("", 0), STEP_NEXT);
	ck_assert_int_eq(check("", UINT32_MAX), STEP_END);
	ck_assert_int_eq(request.answer.status, 400);
	/* another type, or no body: nobody looks */
	receive("Content-Type: text/plain\r\nContent-Length: 9\r\n");
	ck_assert_int_eq(check_form(&request), STEP_NEXT);
	receive("Content-Type: application/x-www-form-urlencoded\r\n");
	ck_assert_int_eq(check_form(&request), STEP_NEXT);
}
END_TEST

START_TEST(a_form_may_come_in_any_number_of_pieces)
{
	ck_assert_int_eq(check("a=b", 10000), STEP_NEXT);
	ck_assert_uint_eq(request.arena.taken, 0);
}
END_TEST

SUITE_RUN("access_credential", finds_the_token, guesses_nothing, a_query_is_no_place_for_a_token,
    nor_is_a_form, a_form_may_come_in_any_number_of_pieces)
