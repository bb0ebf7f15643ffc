#include "environ.h"

#include <stdlib.h>
#include <string.h>

/* Keys beyond this number are made anew for each request: a client invents as many field names as it likes. */
#define MAX_KEYS 384
#define TABLE_SIZE 1024 /* power of two, so that the table is never more than half full */
#define MAX_KEPT_VALUE 256

enum role { ROLE_NONE, ROLE_METHOD, ROLE_URI, ROLE_SCHEME };

struct key {
	PyObject *name;   /* interned str; owned */
	struct key *next; /* the key that followed it last time: a guess that spares the search */
	char *kept;      /* bytes of the last value, MAX_KEPT_VALUE of room; NULL for a key whose values are not kept */
	PyObject *value; /* str of these bytes; owned, or NULL */
	size_t kept_len;
	uint32_t hash;
	enum role role;
	size_t len;
	char text[];
};

struct hg_environ {
	PyObject *base; /* what every environ starts as */
	Py_ssize_t base_size;
	PyObject *name_input, *name_scheme, *https;
	struct key first; /* before the first key: only its guess is used */
	unsigned keys;
	struct key *table[TABLE_SIZE];
};

/* Keys whose values come again and again and hold no secret: the last value of each stays in memory as one str. Cookies,
 * credentials, URLs and everything a client invents are not among them and live no longer than their request. */
static const char *const kept_keys[] = {"REQUEST_METHOD", "SCRIPT_NAME", "SERVER_PROTOCOL", "REQUEST_SCHEME", "HTTPS",
        "DOCUMENT_ROOT", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST",
        "HTTP_ACCEPT", "HTTP_ACCEPT_CHARSET", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_CACHE_CONTROL",
        "HTTP_CONNECTION", "HTTP_DNT", "HTTP_ORIGIN", "HTTP_PRAGMA", "HTTP_PRIORITY", "HTTP_SEC_CH_UA",
        "HTTP_SEC_CH_UA_MOBILE", "HTTP_SEC_CH_UA_PLATFORM", "HTTP_SEC_FETCH_DEST", "HTTP_SEC_FETCH_MODE",
        "HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_USER", "HTTP_TE", "HTTP_UPGRADE_INSECURE_REQUESTS", "HTTP_USER_AGENT",
        "HTTP_VIA", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REQUESTED_WITH"};

/* Common keys whose values are not kept: known from the start, so that invented ones cannot take their places. */
static const char *const plain_keys[] = {"REQUEST_URI", "QUERY_STRING", "PATH_INFO", "REMOTE_PORT", "REQUEST_ID",
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

static bool is_key(const struct key *k, const char *p, size_t n)
{
	return k->len == n && !memcmp(k->text, p, n);
}

static struct key *new_key(struct hg_environ *e, const char *p, size_t n, uint32_t hash)
{
	struct key *k = calloc(1, sizeof *k + n + 1);
	if (!k)
		return NULL;
	memcpy(k->text, p, n);
	k->len = n;
	k->hash = hash;
	/* Interning needs ASCII, which header names are; other keys are not cached. */
	k->name = py.PyUnicode_InternFromString(k->text);
	if (!k->name) {
		py.PyErr_Clear();
		free(k);
		return NULL;
	}
	e->keys++;
	return k;
}

static bool is_ascii(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] >= 0x80)
			return false;
	return true;
}

/* Returns the cached key, which it makes if there is room; NULL if there is none. The text must be a valid key. */
static struct key *find_key(struct hg_environ *e, const char *p, size_t n)
{
	uint32_t hash = hash_of(p, n), i = hash % TABLE_SIZE;
	for (; e->table[i]; i = (i + 1) % TABLE_SIZE)
		if (e->table[i]->hash == hash && is_key(e->table[i], p, n))
			return e->table[i];
	if (e->keys >= MAX_KEYS || !is_ascii(p, n))
		return NULL;
	return e->table[i] = new_key(e, p, n, hash);
}

static bool preload_keys(struct hg_environ *e)
{
	for (size_t i = 0; i < sizeof kept_keys / sizeof *kept_keys; i++) {
		struct key *k = find_key(e, kept_keys[i], strlen(kept_keys[i]));
		if (!k || !(k->kept = malloc(MAX_KEPT_VALUE)))
			return false;
	}
	for (size_t i = 0; i < sizeof plain_keys / sizeof *plain_keys; i++)
		if (!find_key(e, plain_keys[i], strlen(plain_keys[i])))
			return false;
	find_key(e, "REQUEST_METHOD", 14)->role = ROLE_METHOD;
	find_key(e, "REQUEST_URI", 11)->role = ROLE_URI;
	find_key(e, "REQUEST_SCHEME", 14)->role = ROLE_SCHEME;
	return true;
}

/* Puts value, which it takes over, into dict. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
	int rc = value ? py.PyDict_SetItemString(dict, key, value) : -1;
	if (value)
		py.Py_DecRef(value);
	return rc;
}

static PyObject *version(void)
{
	PyObject *one = py.PyLong_FromLong(1), *zero = py.PyLong_FromLong(0);
	PyObject *pair = one && zero ? py.PyTuple_Pack(2, one, zero) : NULL;
	py.Py_DecRef(one);
	py.Py_DecRef(zero);
	return pair;
}

static PyObject *make_base(bool multithread, bool multiprocess, PyObject *file_wrapper)
{
	PyObject *sys = py.PyImport_ImportModule("sys");
	PyObject *errors = sys ? py.PyObject_GetAttrString(sys, "stderr") : NULL;
	PyObject *base = errors ? py.PyDict_New() : NULL;
	py.Py_DecRef(sys);
	if (!base || put(base, "wsgi.version", version()) < 0 || put(base, "wsgi.errors", errors) < 0 ||
	        put(base, "wsgi.multithread", py.PyBool_FromLong(multithread)) < 0 ||
	        put(base, "wsgi.multiprocess", py.PyBool_FromLong(multiprocess)) < 0 ||
	        put(base, "wsgi.run_once", py.PyBool_FromLong(false)) < 0 ||
	        py.PyDict_SetItemString(base, "wsgi.file_wrapper", file_wrapper) < 0 ||
	        put(base, "wsgi.input_terminated", py.PyBool_FromLong(true)) < 0 ||
	        put(base, "wsgi.url_scheme", py.PyUnicode_InternFromString("http")) < 0 ||
	        py.PyDict_SetItemString(base, "wsgi.input", py.None) < 0) {
		py.Py_DecRef(base);
		return NULL;
	}
	return base;
}

struct hg_environ *hg_environ_new(bool multithread, bool multiprocess, PyObject *file_wrapper)
{
	struct hg_environ *e = calloc(1, sizeof *e);
	if (!e) {
		py.PyErr_NoMemory();
		return NULL;
	}
	e->base = make_base(multithread, multiprocess, file_wrapper);
	e->name_input = py.PyUnicode_InternFromString("wsgi.input");
	e->name_scheme = py.PyUnicode_InternFromString("wsgi.url_scheme");
	e->https = py.PyUnicode_InternFromString("https");
	if (!e->base || !e->name_input || !e->name_scheme || !e->https || !preload_keys(e)) {
		if (!py.PyErr_Occurred())
			py.PyErr_NoMemory();
		return NULL; /* the thread cannot start, so the process ends: nothing is given back */
	}
	e->base_size = py.PyDict_Size(e->base);
	return e;
}

/* Returns the str of a value, a new reference. */
static PyObject *value_of(struct key *k, const struct hg_var *v)
{
	if (!k || !k->kept || v->value_len > MAX_KEPT_VALUE)
		return py.PyUnicode_DecodeLatin1(v->value, (Py_ssize_t)v->value_len, NULL);
	if (!k->value || k->kept_len != v->value_len || memcmp(k->kept, v->value, v->value_len)) {
		PyObject *value = py.PyUnicode_DecodeLatin1(v->value, (Py_ssize_t)v->value_len, NULL);
		if (!value)
			return NULL;
		py.Py_DecRef(k->value);
		k->value = value;
		k->kept_len = v->value_len;
		memcpy(k->kept, v->value, v->value_len);
	}
	py.Py_IncRef(k->value);
	return k->value;
}

static int set(PyObject *dict, struct key *k, const struct hg_var *v)
{
	PyObject *name = k ? k->name : py.PyUnicode_DecodeLatin1(v->key, (Py_ssize_t)v->key_len, NULL);
	PyObject *value = value_of(k, v);
	int rc = name && value ? py.PyDict_SetItem(dict, name, value) : -1;
	if (!k)
		py.Py_DecRef(name);
	py.Py_DecRef(value);
	return rc;
}

/* Notes what the worker wants to know. Returns whether this is the scheme https. */
static bool note(const struct key *k, const struct hg_var *v, struct hg_request_line *line)
{
	switch (k->role) {
	case ROLE_METHOD:
		line->method = v->value;
		line->method_len = v->value_len;
		break;
	case ROLE_URI:
		line->uri = v->value;
		line->uri_len = v->value_len;
		break;
	case ROLE_SCHEME:
		return v->value_len == 5 && !memcmp(v->value, "https", 5);
	case ROLE_NONE:
		break;
	}
	return false;
}

/* Adds all variables to dict. Returns how many, or -1 with *error or an exception. */
static Py_ssize_t fill(struct hg_environ *e, PyObject *dict, const struct hg_message *m, struct hg_request_line *line,
        bool *https, const char **error)
{
	const unsigned char *p = m->vars, *end = p + m->vars_len;
	struct key *previous = &e->first;
	struct hg_var v;
	Py_ssize_t n = 0;
	for (; p < end; n++) {
		if ((*error = hg_var_cut(&p, end, &v)))
			return -1;
		struct key *k = previous->next;
		if (!k || !is_key(k, v.key, v.key_len)) {
			if ((*error = hg_var_key_error(v.key, v.key_len)))
				return -1;
			k = find_key(e, v.key, v.key_len);
		}
		if (set(dict, k, &v) < 0)
			return -1;
		if (!k)
			continue;
		previous->next = k;
		previous = k;
		if (k->role != ROLE_NONE && note(k, &v, line))
			*https = true;
	}
	return n;
}

PyObject *hg_environ_build(
        struct hg_environ *e, const struct hg_message *m, struct hg_request_line *line, const char **error)
{
	bool https = false;
	*error = NULL;
	*line = (struct hg_request_line){.method = "", .uri = ""};
	PyObject *dict = py.PyDict_Copy(e->base);
	if (!dict)
		return NULL;
	Py_ssize_t n = fill(e, dict, m, line, &https, error);
	if (n < 0 || (https && py.PyDict_SetItem(dict, e->name_scheme, e->https) < 0))
		goto fail;
	/* One entry for each variable, or a key came twice or was one of ours. */
	if (py.PyDict_Size(dict) != e->base_size + n) {
		*error = "a uwsgi key comes twice, or starts with wsgi.";
		goto fail;
	}
	return dict;
fail:
	py.Py_DecRef(dict);
	return NULL;
}

int hg_environ_set_input(struct hg_environ *e, PyObject *environ, PyObject *input)
{
	return py.PyDict_SetItem(environ, e->name_input, input);
}
