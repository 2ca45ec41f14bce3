#ifndef SHM_WORDS_H
#define SHM_WORDS_H

/*
 * Copying to and from shared memory that others may read or change at the same time.
 *
 * Every shared word is moved by an atomic operation of its own, so that a reader racing with a
 * writer gets old or new words and never undefined behaviour; which of the two it got, the
 * sequence number around the copy tells. Stores release and loads acquire, which orders them
 * against that number without fences (on x86-64 both are plain moves).
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many words hold len bytes. */
static inline size_t
words_for(size_t len)
{
	return (len + 7) / 8;
}

/* Writes len bytes into words; the last word is padded with zeros. */
static inline void
words_store(_Atomic uint64_t *to, const void *from, size_t len)
{
	const char *bytes = from;
	uint64_t word;
	size_t i;

	for (i = 0; i < len / 8; i++) {
		memcpy(&word, bytes + i * 8, 8);
		atomic_store_explicit(&to[i], word, memory_order_release);
	}
	if (len % 8 == 0)
		return;
	word = 0;
	memcpy(&word, bytes + i * 8, len % 8);
	atomic_store_explicit(&to[i], word, memory_order_release);
}

static inline void
words_load_one(char *to, const _Atomic uint64_t *from)
{
	uint64_t word = atomic_load_explicit(from, memory_order_acquire);

	memcpy(to, &word, 8);
}

/* Reads len bytes out of words. By four, since compilers don't unroll loops over atomics. */
static inline void
words_load(void *to, const _Atomic uint64_t *from, size_t len)
{
	char *bytes = to;
	uint64_t word;

	for (; len >= 32; len -= 32, bytes += 32, from += 4) {
		words_load_one(bytes, from);
		words_load_one(bytes + 8, from + 1);
		words_load_one(bytes + 16, from + 2);
		words_load_one(bytes + 24, from + 3);
	}
	for (; len >= 8; len -= 8, bytes += 8, from++)
		words_load_one(bytes, from);
	if (len == 0)
		return;
	word = atomic_load_explicit(from, memory_order_acquire);
	memcpy(bytes, &word, len);
}

/* Moves n words to a lower address; the two ranges may overlap. */
static inline void
words_move_down(_Atomic uint64_t *to, const _Atomic uint64_t *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		atomic_store_explicit(&to[i],
		    atomic_load_explicit(&from[i], memory_order_relaxed), memory_order_release);
}

/*
 * Whether four words hold this 32-byte digest, in a time that does not depend on where they
 * differ.
 */
static inline int
words_equal_digest(const _Atomic uint64_t *words, const uint8_t digest[32])
{
	uint64_t mine[4], differ = 0;
	int i;

	memcpy(mine, digest, 32);
	for (i = 0; i < 4; i++)
		differ |= mine[i] ^ atomic_load_explicit(&words[i], memory_order_acquire);
	return differ == 0;
}

/*
 * Which of the four 16-bit lanes of a word equal a tag: bit 15 of each such lane. Above a true
 * hit a false one may show, so the caller compares more than the tag.
 */
static inline uint64_t
words_tag_hits(uint64_t lanes, uint16_t tag)
{
	const uint64_t ones = 0x0001000100010001ULL;
	uint64_t differ = lanes ^ ones * tag;

	return (differ - ones) & ~differ & ones << 15;
}

/* Puts a tag into lane at % 4 of word at / 4; the caller is the only writer. */
static inline void
words_tag_store(_Atomic uint64_t *tags, int at, uint16_t tag)
{
	_Atomic uint64_t *word = &tags[at / 4];
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
	int shift = at % 4 * 16;

	atomic_store_explicit(word, (old & ~(0xffffULL << shift)) | (uint64_t)tag << shift,
	    memory_order_release);
}

#endif
