/*
 * Checks every token that exchange_load.c was given: the answer around it, its signature by
 * OpenSSL, and each claim against what was asked and what the subject token says. Shares no code
 * with the gateway.
 *
 *	exchange_check -f POOL -w WORDS -o ANSWERS -k KEY -n KID -s ALG -i ISSUER -c CLIENT
 *	    -l LIFETIME
 *
 * KEY is a file with the public key (PEM), LIFETIME the seconds that CLIENT's tokens live at most.
 * The result is a line of JSON: how many were checked, and how many were wrong in what.
 */
#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/wait.h>

#include "exchange.h"

#define PROCESSES	2
#define PART_MAX	8192	/* bytes of a decoded part */
#define JTI_SIZE	40
#define TOLD_MAX	5
#define CLOCK_S		5	/* the load sends and the gateway signs within it */

#define FLAWS(X) X(ANSWER, "answer") X(HEADER, "header") X(SIGNATURE, "signature") \
	X(ISSUER, "iss") X(SUBJECT, "sub") X(CLIENT, "client_id") X(AUDIENCE, "aud") \
	X(SCOPE, "scope") X(ACT, "act") X(TIMES, "exp") X(LINEAGE, "lineage") X(REPEATED, "jti")

#define FLAW_ID(id, name)	FLAW_##id,
enum flaw { FLAWS(FLAW_ID) FLAW_COUNT, NO_FLAW = FLAW_COUNT };
#define FLAW_NAME(id, name)	name,
static const char *const flaws[] = { FLAWS(FLAW_NAME) };

struct counts {
	uint64_t	checked, delegated, flaws[FLAW_COUNT];
};

struct check {
	const char	*pool_file, *words_file, *answers_file, *key_file;
	const char	*kid, *alg, *issuer, *client;
	long		 lifetime_s;
	struct pool	 pool;
	struct words	 words;
	EVP_PKEY	*key;
	struct counts	*counts;	/* of each process */
	char		(*jtis)[JTI_SIZE];	/* of each answer */
};

/* An answer, and what was asked for it. */
struct answer {
	struct asked	 asked;
	long long	 sent_s;
	const char	*body;
	size_t		 n;
	char		*jti;
	bool		 delegated;
};

static int
of_base64url(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Bytes decoded, -1 if it is not base64url. */
static long
decode(const char *text, size_t n, unsigned char *out)
{
	uint32_t bits = 0;
	long made = 0;

	if (n > PART_MAX || n % 4 == 1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int value = of_base64url(text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 0)
			out[made++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	return made;
}

static json_t *
decode_json(const char *text, size_t n)
{
	unsigned char bytes[PART_MAX];
	long size = decode(text, n, bytes);

	return size < 0 ? NULL :
	    json_loadb((char *)bytes, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
}

/* The claims of a token that somebody has checked already. */
static json_t *
claims_of(const char *token, size_t n)
{
	const char *dot = memchr(token, '.', n);
	const char *end = dot == NULL ? NULL : memchr(dot + 1, '.', n - (size_t)(dot + 1 - token));

	return end == NULL ? NULL : decode_json(dot + 1, (size_t)(end - dot - 1));
}

static bool
is(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool
same(const json_t *a, const json_t *b)
{
	return json_is_string(a) && json_is_string(b) && json_equal(a, b);
}

/* A raw signature of ES256 (r and s) as OpenSSL wants it. */
static int
ec_to_der(const unsigned char *raw, long n, unsigned char *out)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int size = -1;

	if (n == 64 && sig != NULL && ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL),
	    BN_bin2bn(raw + 32, 32, NULL)))
		size = i2d_ECDSA_SIG(sig, &out);
	ECDSA_SIG_free(sig);
	return size;
}

static bool
verify(const struct check *k, const char *token, size_t signed_n, const char *mark, size_t mark_n)
{
	unsigned char raw[PART_MAX], der[128];
	long n = decode(mark, mark_n, raw);
	const unsigned char *sig = raw;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = false;
	int type = EVP_PKEY_base_id(k->key);
	/* Ed25519 hashes by itself */
	const EVP_MD *hash = type == EVP_PKEY_ED25519 ? NULL : EVP_sha256();

	if (type == EVP_PKEY_EC) {
		n = ec_to_der(raw, n, der);
		sig = der;
	}
	if (n > 0 && c != NULL && EVP_DigestVerifyInit(c, NULL, hash, NULL, k->key) == 1)
		good = EVP_DigestVerify(c, sig, (size_t)n, (const unsigned char *)token,
		    signed_n) == 1;
	EVP_MD_CTX_free(c);
	return good;
}

static bool
audience_is(const json_t *aud, const char *a, const char *b)
{
	const json_t *one = json_array_get(aud, 0), *two = json_array_get(aud, 1);

	return json_array_size(aud) == 2 &&
	    ((is(one, a) && is(two, b)) || (is(one, b) && is(two, a)));
}

/* All the words of one are in the other. */
static bool
words_within(const char *words, const char *all)
{
	char copy[512], spaced[512], *save, needle[256];

	snprintf(copy, sizeof(copy), "%s", words);
	snprintf(spaced, sizeof(spaced), " %s ", all);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		snprintf(needle, sizeof(needle), " %s ", w);
		if (strstr(spaced, needle) == NULL)
			return false;
	}
	return true;
}

static bool
scope_is(const json_t *scope, const char *asked, const json_t *subject)
{
	const char *given = json_string_value(scope), *had = json_string_value(subject);

	return given != NULL && had != NULL && words_within(given, asked) &&
	    words_within(asked, given) && words_within(given, had);
}

/* The actor is the actor token's subject, of its issuer; without an actor token there is none. */
static bool
act_is(const json_t *act, const struct subject *s)
{
	json_t *actor = s->actor == NULL ? NULL : claims_of(s->actor, s->actor_n);
	bool right = actor == NULL ? act == NULL :
	    same(json_object_get(act, "sub"), json_object_get(actor, "sub")) &&
	    same(json_object_get(act, "iss"), json_object_get(actor, "iss")) &&
	    json_object_get(act, "act") == NULL;

	json_decref(actor);
	return right;
}

static bool
times_are(const struct check *k, const json_t *claims, const json_t *subject, long long sent_s)
{
	long long iat = json_integer_value(json_object_get(claims, "iat"));
	long long exp = json_integer_value(json_object_get(claims, "exp"));
	long long most = json_integer_value(json_object_get(subject, "exp"));

	return iat >= sent_s - 1 && iat <= sent_s + CLOCK_S && exp > iat && exp <= most &&
	    exp == (iat + k->lifetime_s < most ? iat + k->lifetime_s : most);
}

static bool
lineage_is(const json_t *lineage, const json_t *subject)
{
	const json_t *last = json_array_get(lineage, 0);

	return json_array_size(lineage) == 1 &&
	    same(json_object_get(last, "jti"), json_object_get(subject, "jti")) &&
	    same(json_object_get(last, "iss"), json_object_get(subject, "iss"));
}

static enum flaw
check_claims(const struct check *k, struct answer *a, const json_t *claims)
{
	const struct subject *s = &k->pool.all[a->asked.subject];
	char *const *w = k->words.plain;
	json_t *subject = claims_of(s->token, s->token_n);
	const char *jti = json_string_value(json_object_get(claims, "jti"));
	enum flaw flaw = NO_FLAW;

	if (!is(json_object_get(claims, "iss"), k->issuer))
		flaw = FLAW_ISSUER;
	else if (!same(json_object_get(claims, "sub"), json_object_get(subject, "sub")))
		flaw = FLAW_SUBJECT;
	else if (!is(json_object_get(claims, "client_id"), k->client))
		flaw = FLAW_CLIENT;
	else if (!audience_is(json_object_get(claims, "aud"), w[a->asked.audience],
	    w[AUDIENCES + a->asked.resource]))
		flaw = FLAW_AUDIENCE;
	else if (!scope_is(json_object_get(claims, "scope"),
	    w[AUDIENCES + RESOURCES + a->asked.scope], json_object_get(subject, "scope")))
		flaw = FLAW_SCOPE;
	else if (!act_is(json_object_get(claims, "act"), s))
		flaw = FLAW_ACT;
	else if (!times_are(k, claims, subject, a->sent_s))
		flaw = FLAW_TIMES;
	else if (!lineage_is(json_object_get(claims, "lineage"), subject))
		flaw = FLAW_LINEAGE;
	else if (jti == NULL || strlen(jti) >= JTI_SIZE)
		flaw = FLAW_REPEATED;
	else
		strcpy(a->jti, jti);
	a->delegated = s->actor != NULL;
	json_decref(subject);
	return flaw;
}

static enum flaw
check_token(const struct check *k, struct answer *a, const char *token, size_t n)
{
	const char *one = memchr(token, '.', n);
	const char *two = one == NULL ? NULL : memchr(one + 1, '.', n - (size_t)(one + 1 - token));
	json_t *header, *claims;
	enum flaw flaw;

	if (two == NULL)
		return FLAW_HEADER;
	header = decode_json(token, (size_t)(one - token));
	flaw = is(json_object_get(header, "alg"), k->alg) &&
	    is(json_object_get(header, "typ"), "at+jwt") &&
	    is(json_object_get(header, "kid"), k->kid) ? NO_FLAW : FLAW_HEADER;
	json_decref(header);
	if (flaw == NO_FLAW && !verify(k, token, (size_t)(two - token), two + 1,
	    n - (size_t)(two + 1 - token)))
		flaw = FLAW_SIGNATURE;
	if (flaw != NO_FLAW)
		return flaw;
	claims = decode_json(one + 1, (size_t)(two - one - 1));
	flaw = check_claims(k, a, claims);
	json_decref(claims);
	return flaw;
}

static enum flaw
check_answer(const struct check *k, struct answer *a)
{
	json_t *body = json_loadb(a->body, a->n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *token = json_object_get(body, "access_token");
	long long life_s = json_integer_value(json_object_get(body, "expires_in"));
	enum flaw flaw = FLAW_ANSWER;

	if (json_is_string(token) && is(json_object_get(body, "token_type"), "Bearer") &&
	    is(json_object_get(body, "issued_token_type"),
	    "urn:ietf:params:oauth:token-type:access_token") &&
	    is(json_object_get(body, "scope"),
	    k->words.plain[AUDIENCES + RESOURCES + a->asked.scope]) &&
	    life_s > 0 && life_s <= k->lifetime_s &&
	    json_object_get(body, "refresh_token") == NULL)
		flaw = check_token(k, a, json_string_value(token), json_string_length(token));
	json_decref(body);
	return flaw;
}

/* The next number of a line. */
static unsigned long
number(const char **at)
{
	char *end;
	unsigned long value = strtoul(*at, &end, 10);

	if (end == *at || *end != ' ')
		die("a line of the answers");
	*at = end + 1;
	return value;
}

static void
check_line(const struct check *k, struct counts *counts, const char *line, size_t n, char *jti)
{
	struct answer a = { .body = line, .jti = jti };
	enum flaw flaw;

	a.asked.subject = (uint32_t)number(&a.body);
	a.asked.scope = (uint8_t)number(&a.body);
	a.asked.audience = (uint8_t)number(&a.body);
	a.asked.resource = (uint8_t)number(&a.body);
	a.sent_s = (long long)number(&a.body);
	a.n = n - (size_t)(a.body - line);
	flaw = check_answer(k, &a);
	counts->checked++;
	counts->delegated += flaw == NO_FLAW && a.delegated;
	if (flaw != NO_FLAW && counts->flaws[flaw]++ < TOLD_MAX)
		fprintf(stderr, "wrong %s: %.*s\n", flaws[flaw], (int)n, line);
}

/* Every PROCESSES-th line, from number `first` on. */
static void
check_some(const struct check *k, const char *answers, size_t n, size_t first)
{
	const char *end = answers + n, *line = answers, *stop;

	for (size_t i = 0; line < end; i++, line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		if (i % PROCESSES == first)
			check_line(k, &k->counts[first], line, (size_t)(stop - line), k->jtis[i]);
	}
}

static void *
shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("memory");
	return p;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Sums up; a jti that comes twice is a flaw of its own. */
static void
tell(const struct check *k, size_t lines)
{
	struct counts sum = { 0 };

	for (int p = 0; p < PROCESSES; p++) {
		sum.checked += k->counts[p].checked;
		sum.delegated += k->counts[p].delegated;
		for (int i = 0; i < FLAW_COUNT; i++)
			sum.flaws[i] += k->counts[p].flaws[i];
	}
	qsort(k->jtis, lines, sizeof(*k->jtis), by_text);
	for (size_t i = 1; i < lines; i++)
		sum.flaws[FLAW_REPEATED] += k->jtis[i][0] != '\0' &&
		    strcmp(k->jtis[i], k->jtis[i - 1]) == 0;
	printf("result {\"checked\":%lu,\"delegated\":%lu,\"wrong\":{", sum.checked, sum.delegated);
	for (int i = 0; i < FLAW_COUNT; i++)
		printf("%s\"%s\":%lu", i == 0 ? "" : ",", flaws[i], sum.flaws[i]);
	puts("}}");
}

static int
check_all(struct check *k)
{
	size_t n, lines = 0;
	const char *answers = map_file(k->answers_file, &n);
	int status, failed = 0;

	for (const char *p = answers; (p = memchr(p, '\n', n - (size_t)(p - answers))) != NULL; p++)
		lines++;
	k->counts = shared(PROCESSES * sizeof(*k->counts));
	k->jtis = shared(lines * sizeof(*k->jtis));
	for (size_t first = 0; first < PROCESSES; first++) {
		switch (fork()) {
		case -1:
			die("fork");
		case 0:
			check_some(k, answers, n, first);
			_exit(0);
		}
	}
	for (int p = 0; p < PROCESSES; p++)
		failed |= wait(&status) < 0 || status != 0;
	if (failed)
		die("a process of the check ended early");
	tell(k, lines);
	return 0;
}

static void
read_options(struct check *k, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "f:w:o:k:n:s:i:c:l:")) != -1)
		switch (option) {
		case 'f': k->pool_file = optarg; break;
		case 'w': k->words_file = optarg; break;
		case 'o': k->answers_file = optarg; break;
		case 'k': k->key_file = optarg; break;
		case 'n': k->kid = optarg; break;
		case 's': k->alg = optarg; break;
		case 'i': k->issuer = optarg; break;
		case 'c': k->client = optarg; break;
		case 'l': k->lifetime_s = atol(optarg); break;
		default: exit(2);
		}
	if (k->pool_file == NULL || k->words_file == NULL || k->answers_file == NULL ||
	    k->key_file == NULL || k->kid == NULL || k->alg == NULL || k->issuer == NULL ||
	    k->client == NULL || k->lifetime_s <= 0) {
		fputs("exchange_check -f POOL -w WORDS -o ANSWERS -k KEY -n KID -s ALG -i ISSUER "
		    "-c CLIENT -l LIFETIME\n", stderr);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static struct check k;
	FILE *f;

	read_options(&k, argc, argv);
	pool_open(&k.pool, k.pool_file);
	words_open(&k.words, k.words_file);
	f = fopen(k.key_file, "r");
	k.key = f == NULL ? NULL : PEM_read_PUBKEY(f, NULL, NULL, NULL);
	if (k.key == NULL)
		die(k.key_file);
	fclose(f);
	return check_all(&k);
}
