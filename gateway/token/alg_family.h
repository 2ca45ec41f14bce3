/*
 * What the files of the algorithm families share; nobody else includes this.
 *
 * Each family verifies in its own file; alg_verify() chooses. All of them answer ALG_BAD for
 * whatever is not exactly right, and leave OpenSSL's error queue for alg_refusal() to empty.
 */
#ifndef GATEWAY_TOKEN_ALG_FAMILY_H
#define GATEWAY_TOKEN_ALG_FAMILY_H

#include "gateway/token/alg.h"

enum alg_result alg_rsa_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key,
    struct span input, struct span signature);
enum alg_result alg_ec_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key,
    struct span input, struct span signature);
enum alg_result alg_ed_verify(struct alg_tools *tools, struct alg_key *key, struct span input,
    struct span signature);
enum alg_result alg_hmac_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key,
    struct span input, struct span signature);

/* Digests the input and asks EVP_PKEY_verify of a prepared context about the signature. */
enum alg_result alg_digest_verify(struct alg_tools *tools, const struct alg *alg,
    EVP_PKEY_CTX *context, struct span input, struct span signature);
/* Makes key->pkey, a public key of one type, from parameters. */
enum alg_result alg_public_key(struct alg_key *key, const char *type, OSSL_PARAM *params);
/* Before what alg_refusal() is to judge. */
void alg_begin(void);
/* Empties OpenSSL's error queue and tells a lack of memory since alg_begin() from a refusal. */
enum alg_result alg_refusal(void);

#endif
