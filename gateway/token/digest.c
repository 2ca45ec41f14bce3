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
