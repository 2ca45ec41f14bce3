#include <confuse.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <llhttp.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "gateway/cli/cli.h"

#ifndef GATEHOUSE_VERSION
#define GATEHOUSE_VERSION	"unknown"
#endif

int
cli_version(void)
{
	printf("gatehouse %s\n", GATEHOUSE_VERSION);
	printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
	printf("jansson %s\n", jansson_version_str());
	printf("libpq %d.%d\n", PQlibVersion() / 10000, PQlibVersion() % 10000);
	printf("libConfuse %s\n", confuse_version);
	printf(
	    "llhttp %d.%d.%d\n", LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH);
	return CLI_DONE;
}
