#include "keys.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_SIZE 1024 /* a power of two, so large that the table is never half full */

struct hg_keys {
	unsigned n;
	struct hg_key *table[TABLE_SIZE];
};

/* Keys whose values come again and again and hold no secret: the last value of each stays in memory as one str. Cookies,
 * credentials, URLs and everything a client invents are not among them and live no longer than their request. */
static const char *const keeping[] = {"REQUEST_METHOD", "SCRIPT_NAME", "SERVER_PROTOCOL", "REQUEST_SCHEME", "HTTPS",
	"DOCUMENT_ROOT", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST",
	"HTTP_ACCEPT", "HTTP_ACCEPT_CHARSET", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_CACHE_CONTROL",
	"HTTP_CONNECTION", "HTTP_DNT", "HTTP_ORIGIN", "HTTP_PRAGMA", "HTTP_PRIORITY", "HTTP_SEC_CH_UA",
	"HTTP_SEC_CH_UA_MOBILE", "HTTP_SEC_CH_UA_PLATFORM", "HTTP_SEC_FETCH_DEST", "HTTP_SEC_FETCH_MODE",
	"HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_USER", "HTTP_TE", "HTTP_UPGRADE_INSECURE_REQUESTS", "HTTP_USER_AGENT",
	"HTTP_VIA", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REQUESTED_WITH"};

/* Other usual keys: known from the start, so that invented ones cannot take their places. */
static const char *const plain[] = {"REQUEST_URI", "QUERY_STRING", "PATH_INFO", "REMOTE_PORT", "REQUEST_ID",
	"REMOTE_USER", "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE",
	"HTTP_IF_NONE_MATCH", "HTTP_IF_RANGE", "HTTP_RANGE", "HTTP_REFERER", "HTTP_TRACEPARENT", "HTTP_X_CSRFTOKEN",
	"HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_X_REQUEST_ID"};

/* FNV-1a */
static uint32_t hash_of(const char *p, size_t n)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

static bool is_ascii(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] >= 0x80)
			return false;
	return true;
}

/* Interned, since applications look keys up by constants, which are too. The key must be ASCII. */
static PyObject *intern(const char *p, size_t n)
{
	char *text = strndup(p, n);
	PyObject *name = text ? py.PyUnicode_InternFromString(text) : NULL;
	free(text);
	return name;
}

static struct hg_key *add(struct hg_keys *keys, const char *p, size_t n, uint32_t hash, bool keeps)
{
	struct hg_key *k = calloc(1, sizeof *k + 2 + n + (keeps ? 2 + HG_KEPT_VALUE : 0));
	PyObject *name = k ? intern(p, n) : NULL;
	if (!name) {
		py.PyErr_Clear();
		free(k);
		return NULL;
	}
	k->name = name;
	k->hash = hash;
	k->keeps = keeps;
	k->key_size = k->record_size = 2 + n;
	k->record[0] = n & 0xff;
	k->record[1] = n >> 8 & 0xff;
	memcpy(k->record + 2, p, n);
	keys->n++;
	return k;
}

static bool is_key(const struct hg_key *k, uint32_t hash, const char *p, size_t n)
{
	return k->hash == hash && k->key_size == 2 + n && !memcmp(k->record + 2, p, n);
}

/* Returns where in the table the key is or would be. */
static struct hg_key **place(struct hg_keys *keys, uint32_t hash, const char *p, size_t n)
{
	uint32_t i = hash % TABLE_SIZE;
	while (keys->table[i] && !is_key(keys->table[i], hash, p, n))
		i = (i + 1) % TABLE_SIZE;
	return &keys->table[i];
}

struct hg_key *hg_keys_find(struct hg_keys *keys, const struct hg_var *v, const char **error)
{
	uint32_t hash = hash_of(v->key, v->key_len);
	struct hg_key **k = place(keys, hash, v->key, v->key_len);
	if (*k)
		return *k;
	*error = hg_var_key_error(v->key, v->key_len);
	if (*error || keys->n >= HG_KEYS || !is_ascii(v->key, v->key_len))
		return NULL;
	return *k = add(keys, v->key, v->key_len, hash, false);
}

static bool preload(struct hg_keys *keys, const char *const *list, size_t n, bool keeps)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(list[i]);
		uint32_t hash = hash_of(list[i], len);
		struct hg_key **k = place(keys, hash, list[i], len);
		if (!(*k = add(keys, list[i], len, hash, keeps)))
			return false;
	}
	return true;
}

static void set_role(struct hg_keys *keys, const char *key, enum hg_key_role role)
{
	size_t len = strlen(key);
	(*place(keys, hash_of(key, len), key, len))->role = role;
}

struct hg_keys *hg_keys_new(void)
{
	struct hg_keys *keys = calloc(1, sizeof *keys);
	if (!keys || !preload(keys, keeping, sizeof keeping / sizeof *keeping, true) ||
		!preload(keys, plain, sizeof plain / sizeof *plain, false)) {
		py.PyErr_NoMemory();
		return NULL; /* the process ends: nothing is given back */
	}
	set_role(keys, "REQUEST_METHOD", HG_KEY_METHOD);
	set_role(keys, "REQUEST_URI", HG_KEY_URI);
	set_role(keys, "REQUEST_SCHEME", HG_KEY_SCHEME);
	return keys;
}

PyObject *hg_key_value(struct hg_key *k, const struct hg_var *v)
{
	bool keep = k && k->keeps && v->value_len <= HG_KEPT_VALUE;
	size_t size = 2 + v->value_len;
	/* The value's length stands in front of it in the packet, as it does in the record. */
	if (keep && k->record_size == k->key_size + size && !memcmp(k->record + k->key_size, v->value - 2, size)) {
		py.Py_IncRef(k->value);
		return k->value;
	}
	PyObject *value = py.PyUnicode_DecodeLatin1(v->value, (Py_ssize_t)v->value_len, NULL);
	if (!keep || !value)
		return value;
	py.Py_IncRef(value);
	py.Py_DecRef(k->value);
	k->value = value;
	memcpy(k->record + k->key_size, v->value - 2, size);
	k->record_size = k->key_size + size;
	return value;
}
