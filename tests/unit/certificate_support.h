/* Certificates for servers that tests connect to over TLS. */
#ifndef TESTS_UNIT_CERTIFICATE_SUPPORT_H
#define TESTS_UNIT_CERTIFICATE_SUPPORT_H

#include <check.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static inline void
certificate_name(X509 *x, const char *alternative)
{
	X509V3_CTX context;
	X509_EXTENSION *san;

	X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
	san = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, alternative);
	X509_add_ext(x, san, -1);
	X509_EXTENSION_free(san);
}

/*
 * A certificate for `name` (as "DNS:..." or "IP:...") signed by itself, in a file and a server's
 * context.
 */
static inline SSL_CTX *
make_certificate(const char *name, const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *file = fopen(path, "w");
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	certificate_name(x, name);
	X509_sign(x, key, EVP_sha256());
	ck_assert_int_eq(PEM_write_X509(file, x), 1);
	fclose(file);
	ck_assert_int_eq(SSL_CTX_use_certificate(tls, x), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(tls, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	return tls;
}

#endif
