#include "gateway/conf/value.h"

#include <check.h>
#include <stdlib.h>

#include "gateway/conf/address.h"

START_TEST(sizes)
{
	uint64_t n = 7;

	ck_assert(value_size(SPAN("0"), &n) && n == 0);
	ck_assert(value_size(SPAN("16K"), &n) && n == 16384);
	ck_assert(value_size(SPAN("64m"), &n) && n == (uint64_t)64 << 20);
	ck_assert(value_size(SPAN("3G"), &n) && n == (uint64_t)3 << 30);
	n = 7;
	ck_assert(!value_size(SPAN(""), &n) && !value_size(SPAN("K"), &n) &&
	    !value_size(SPAN("16KB"), &n) && !value_size(SPAN("-1"), &n) &&
	    !value_size(SPAN("1.5M"), &n) && !value_size(SPAN("16 K"), &n) &&
	    !value_size(SPAN("99999999999999999G"), &n) && !value_size(SPAN("0x10"), &n));
	ck_assert_uint_eq(n, 7);
}
END_TEST

START_TEST(seconds)
{
	uint64_t n = 7;

	ck_assert(value_ms(SPAN("10"), &n) && n == 10000);
	ck_assert(value_ms(SPAN("0.25"), &n) && n == 250);
	ck_assert(value_ms(SPAN("1.005"), &n) && n == 1005);
	n = 7;
	ck_assert(!value_ms(SPAN(""), &n) && !value_ms(SPAN("1."), &n) &&
		  !value_ms(SPAN(".5"), &n) && !value_ms(SPAN("1.0005"), &n) &&
		  !value_ms(SPAN("1e3"), &n) && !value_ms(SPAN("1s"), &n) &&
		  !value_ms(SPAN("-1"), &n) && !value_ms(SPAN("18446744073709551615"), &n));
	ck_assert_uint_eq(n, 7);
}
END_TEST

START_TEST(rates)
{
	uint64_t count = 7, period = 7;

	ck_assert(value_rate(SPAN("100/s"), &count, &period) && count == 100 && period == 1000000);
	ck_assert(value_rate(SPAN("5/m"), &count, &period) && count == 5 && period == 60000000);
	ck_assert(value_rate(SPAN("1/d"), &count, &period) && period == 86400000000);
	count = 7;
	ck_assert(
	    !value_rate(SPAN("0/s"), &count, &period) && !value_rate(SPAN("/s"), &count, &period) &&
	    !value_rate(SPAN("5"), &count, &period) && !value_rate(SPAN("5/w"), &count, &period) &&
	    !value_rate(SPAN("5/ s"), &count, &period) &&
	    !value_rate(SPAN("5.5/s"), &count, &period));
	ck_assert_uint_eq(count, 7);
}
END_TEST

START_TEST(choices)
{
	ck_assert_int_eq(value_choice(SPAN("b"), "a|b|c"), 1);
	ck_assert_int_eq(value_choice(SPAN(""), "a|b|c"), -1);
	ck_assert_int_eq(value_choice(SPAN("a|b"), "a|b|c"), -1);
	ck_assert_int_eq(value_choice(SPAN("B"), "a|b|c"), -1);
}
END_TEST

START_TEST(written_as_read)
{
	char room[64];
	struct text t = TEXT_OVER(room);

	value_put_size(&t, 16384);
	text_char(&t, ' ');
	value_put_size(&t, 1000);
	text_char(&t, ' ');
	value_put_ms(&t, 30000);
	text_char(&t, ' ');
	value_put_ms(&t, 1005);
	ck_assert(span_eq(text_span(&t), SPAN("16K 1000 30 1.005")));
}
END_TEST

START_TEST(urls)
{
	static const char *const bad[] = { "", "http://", "ftp://a", "http:/a", "http://a:0",
		"http://a:65536", "http://a:", "http://u@a", "http://a b", "http://a/#f",
		"http://[::1", "http://[::1]x",
		"http://[1.2.3.4]:1x", "http://a\\b", "http://a:1:2", "//a", "http://[]/" };
	struct address_url url;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(address_url(span_of(bad[i]), &url) != NULL, "accepted: %s", bad[i]);
	ck_assert_ptr_null(address_url(SPAN("https://a.test:8443/x?y"), &url));
	ck_assert(url.tls && url.port == 8443 && span_eq(url.host, SPAN("a.test")) &&
	    span_eq(url.path, SPAN("/x?y")));
	ck_assert_ptr_null(address_url(SPAN("HTTP://[::1]"), &url));
	ck_assert(!url.tls && url.port == 80 && span_eq(url.host, SPAN("::1")) && url.path.n == 0);
}
END_TEST

START_TEST(networks)
{
	static const char *const bad[] = { "", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "::1/129",
	    "a", "10.0.0.0/", "10.0.0.0/08", "fe80::1/10", "1.2.3.4/32/1" };
	struct config_network n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(address_network(span_of(bad[i]), &n) != NULL, "accepted: %s", bad[i]);
	ck_assert_ptr_null(address_network(SPAN("10.0.0.0/8"), &n));
	ck_assert(n.bits == 104 && IN6_IS_ADDR_V4MAPPED(&n.address) && n.address.s6_addr[12] == 10);
	ck_assert_ptr_null(address_network(SPAN("192.168.1.7"), &n));
	ck_assert_uint_eq(n.bits, 128);
	ck_assert_ptr_null(address_network(SPAN("fe80::/10"), &n));
	ck_assert_uint_eq(n.bits, 10);
	ck_assert_ptr_null(address_network(SPAN("0.0.0.0/0"), &n));
	ck_assert_uint_eq(n.bits, 96);
}
END_TEST

START_TEST(loopback)
{
	ck_assert(address_is_loopback(SPAN("127.1.2.3")) && address_is_loopback(SPAN("::1")) &&
	    address_is_loopback(SPAN("LocalHost")));
	ck_assert(!address_is_loopback(SPAN("128.0.0.1")) &&
	    !address_is_loopback(SPAN("localhost.evil")) &&
	    !address_is_loopback(SPAN("127.0.0.1.evil")) && !address_is_loopback(SPAN("")));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf_value");
	TCase *tcase = tcase_create("conf_value");

	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, seconds);
	tcase_add_test(tcase, rates);
	tcase_add_test(tcase, choices);
	tcase_add_test(tcase, written_as_read);
	tcase_add_test(tcase, urls);
	tcase_add_test(tcase, networks);
	tcase_add_test(tcase, loopback);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
