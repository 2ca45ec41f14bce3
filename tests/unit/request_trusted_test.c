#include "gateway/request/trusted.h"

#include "tests/unit/access_support.h"

static bool
trusts(const char *address)
{
	return trusted_contains(&config, span_of(address));
}

START_TEST(networks_end_at_their_bit)
{
	ck_assert(!trusts("10.0.0.1"));
	trust_some();
	ck_assert(trusts("10.0.0.0") && trusts("10.255.255.255") && trusts("::1"));
	ck_assert(trusts("::ffff:10.1.2.3"));
	ck_assert(!trusts("11.0.0.0") && !trusts("9.255.255.255") && !trusts("::2"));
	ck_assert(!trusts("::10.0.0.1") && !trusts("unix") && !trusts("") && !trusts("10.0.0"));
	ck_assert(!trusts("10.0.0.1, 10.0.0.1") && !trusts("10.0.0.1:80") && !trusts("010.0.0.1"));
	networks[0].bits = 96 + 11;
	networks[0].address.s6_addr[13] = 0xa0;
	ck_assert(trusts("10.160.0.0") && trusts("10.191.255.255"));
	ck_assert(!trusts("10.192.0.0") && !trusts("10.159.255.255"));
	networks[0].bits = 0;
	ck_assert(trusts("1.2.3.4") && trusts("2001:db8::1"));
}
END_TEST

#define ck_client(list, expected) \
	ck_assert_span(trusted_client(&config, SPAN(list), SPAN("10.0.0.1")), SPAN(expected))

START_TEST(the_client_is_the_last_one_nobody_vouches_for)
{
	trust_some();
	ck_client("1.2.3.4", "1.2.3.4");
	ck_client("6.6.6.6, 1.2.3.4", "1.2.3.4");
	ck_client("6.6.6.6,1.2.3.4 ,\t10.0.0.9", "1.2.3.4");
	ck_client("10.0.0.8, 10.0.0.9", "10.0.0.8");
	ck_client("2001:db8::1, ::1", "2001:db8::1");
	ck_client("", "10.0.0.1");
	ck_client("unknown", "10.0.0.1");
	ck_client("1.2.3.4, unknown", "10.0.0.1");
	ck_client("1.2.3.4, unknown, 10.0.0.9", "10.0.0.9");
	ck_client("1.2.3.4,", "10.0.0.1");
	ck_client(",10.0.0.9", "10.0.0.9");
	ck_client("1.2.3.4:5", "10.0.0.1");
	ck_client("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.24", "10.0.0.1");
}
END_TEST

SUITE_RUN("request_trusted", networks_end_at_their_bit,
    the_client_is_the_last_one_nobody_vouches_for)
