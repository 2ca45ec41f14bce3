/* the plain functions are marked as deprecated since OpenSSL 3.0, and stay in all of 3.x */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "gateway/token/digest.h"

#include <openssl/sha.h>

void
digest_sha256(struct span in, uint8_t out[32])
{
	SHA256_CTX context;

	SHA256_Init(&context);
	SHA256_Update(&context, in.p, in.n);
	SHA256_Final(out, &context);
}

void
digest_sha256_parts(const struct span *parts, size_t n, uint8_t out[32])
{
	SHA256_CTX context;

	SHA256_Init(&context);
	for (size_t i = 0; i < n; i++)
		SHA256_Update(&context, parts[i].p, parts[i].n);
	SHA256_Final(out, &context);
}
