/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/session_key.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "dataplane/base/bytes.h"

static const char salt[] = "snapline session v1";

static int expand(uint8_t *out, size_t len, const uint8_t secret[static 64],
	const struct session_secret *from)
{
	uint8_t numbers[16];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[6];
	int ok;

	put_be64(numbers, (uint64_t)from->index);
	put_be64(numbers + 8, (uint64_t)from->term);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0);
	params[1] =
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, 64);
	params[2] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_SALT, (void *)salt, sizeof(salt) - 1);
	/* OpenSSL joins repeated info parameters */
	params[3] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_INFO, numbers, sizeof(numbers));
	params[4] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_INFO, (void *)from->group_id, strlen(from->group_id));
	params[5] = OSSL_PARAM_construct_end();
	ok = ctx != NULL ? EVP_KDF_derive(ctx, out, len, params) : 0;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok == 1 ? 0 : -ENOMEM;
}

int session_key_derive(struct session_keys *keys, const struct session_secret *secret)
{
	uint8_t both[2 * SESSION_NONCE_LEN];
	uint8_t out[2 * SESSION_KEY_LEN];
	int err;

	memcpy(both, secret->sender_nonce, SESSION_NONCE_LEN);
	memcpy(both + SESSION_NONCE_LEN, secret->receiver_nonce, SESSION_NONCE_LEN);
	err = expand(out, sizeof(out), both, secret);
	if (err != 0)
		return err;
	memcpy(keys->to_receiver, out, SESSION_KEY_LEN);
	memcpy(keys->to_sender, out + SESSION_KEY_LEN, SESSION_KEY_LEN);
	return 0;
}
