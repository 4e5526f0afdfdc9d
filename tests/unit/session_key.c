/* SPDX-License-Identifier: BSD-3-Clause */
/* Both ends derive the same two keys, and nobody else's are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dataplane/base/bytes.h"
#include "dataplane/session_key.h"

enum { HASH = 32 };

static void hmac(
	uint8_t *out, const void *key, size_t key_len, const uint8_t *bytes, size_t len)
{
	unsigned int out_len;

	assert_non_null(HMAC(EVP_sha256(), key, (int)key_len, bytes, len, out, &out_len));
	assert_int_equal(out_len, HASH);
}

/* RFC 5869 step by step, for one block of output. */
static void hkdf(uint8_t out[HASH], const char *salt, const uint8_t *secret,
	size_t secret_len, const uint8_t *info, size_t info_len)
{
	uint8_t prk[HASH];
	uint8_t message[512];

	hmac(prk, salt, strlen(salt), secret, secret_len);
	memcpy(message, info, info_len);
	message[info_len] = 1;
	hmac(out, prk, HASH, message, info_len + 1);
}

static struct session_secret example(void)
{
	struct session_secret secret = {
		.group_id = "group", .index = 0x0102030405060708, .term = 77};

	for (uint8_t i = 0; i < SESSION_NONCE_LEN; i++) {
		secret.sender_nonce[i] = i;
		secret.receiver_nonce[i] = (uint8_t)(0x80 + i);
	}
	return secret;
}

static void derive(struct session_keys *keys, const struct session_secret *secret)
{
	memset(keys, 0, sizeof(*keys));
	assert_int_equal(session_key_derive(keys, secret), 0);
}

static void check_hkdf(const struct session_secret *secret)
{
	struct session_keys keys;
	uint8_t both[2 * SESSION_NONCE_LEN];
	uint8_t info[16 + 256];
	uint8_t expected[HASH];
	size_t group_len = strlen(secret->group_id);

	memcpy(both, secret->sender_nonce, SESSION_NONCE_LEN);
	memcpy(both + SESSION_NONCE_LEN, secret->receiver_nonce, SESSION_NONCE_LEN);
	put_be64(info, (uint64_t)secret->index);
	put_be64(info + 8, (uint64_t)secret->term);
	memcpy(info + 16, secret->group_id, group_len);
	hkdf(expected, "snapline session v1", both, sizeof(both), info, 16 + group_len);
	derive(&keys, secret);
	assert_memory_equal(keys.to_receiver, expected, SESSION_KEY_LEN);
	assert_memory_equal(keys.to_sender, expected + SESSION_KEY_LEN, SESSION_KEY_LEN);
}

static void the_keys_are_hkdf_sha256(void **state)
{
	struct session_secret secret = example();
	char longest[256];

	(void)state;
	check_hkdf(&secret);
	secret.group_id = "";
	check_hkdf(&secret);
	memset(longest, 'g', 255);
	longest[255] = '\0';
	secret.group_id = longest;
	check_hkdf(&secret);
}

static void the_two_directions_differ(void **state)
{
	struct session_secret secret = example();
	struct session_keys keys;

	(void)state;
	derive(&keys, &secret);
	assert_memory_not_equal(keys.to_receiver, keys.to_sender, SESSION_KEY_LEN);
}

static void every_input_changes_both_keys(void **state)
{
	struct session_secret base = example();
	struct session_secret others[6];
	struct session_keys keys[7];

	(void)state;
	for (int i = 0; i < 6; i++)
		others[i] = base;
	others[0].sender_nonce[31] ^= 1;
	others[1].receiver_nonce[0] ^= 1;
	others[2].group_id = "groups";
	others[3].index++;
	others[4].term--;
	/* who said which nonce matters, too */
	memcpy(others[5].sender_nonce, base.receiver_nonce, SESSION_NONCE_LEN);
	memcpy(others[5].receiver_nonce, base.sender_nonce, SESSION_NONCE_LEN);
	derive(&keys[6], &base);
	for (int i = 0; i < 6; i++)
		derive(&keys[i], &others[i]);
	for (int i = 0; i < 7; i++) {
		for (int k = 0; k < i; k++) {
			assert_memory_not_equal(keys[i].to_receiver, keys[k].to_receiver,
				SESSION_KEY_LEN);
			assert_memory_not_equal(
				keys[i].to_sender, keys[k].to_sender, SESSION_KEY_LEN);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keys_are_hkdf_sha256),
		cmocka_unit_test(the_two_directions_differ),
		cmocka_unit_test(every_input_changes_both_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
