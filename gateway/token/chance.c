#include "gateway/token/chance.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "gateway/base/must.h"

bool
chance_take(struct chance *chance, uint8_t *out, size_t n)
{
	must(n <= sizeof(chance->reserve));
	if (chance->left < n) {
		chance->left = 0;
		if (RAND_priv_bytes(chance->reserve, sizeof(chance->reserve)) != 1)
			return false;
		chance->left = sizeof(chance->reserve);
	}
	chance->left -= n;
	memcpy(out, chance->reserve + chance->left, n);
	OPENSSL_cleanse(chance->reserve + chance->left, n);
	return true;
}

void
chance_forget(struct chance *chance)
{
	OPENSSL_cleanse(chance, sizeof(*chance));
}
