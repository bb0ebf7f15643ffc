/* The keys of environ variables: each is one str for ever, and the value it had last is kept where that is safe and pays.
 * A cache belongs to one thread. All of it needs the GIL. */
#ifndef HG_KEYS_H
#define HG_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "py_api.h"

/* Keys beyond this number are made anew for each request: a client invents as many field names as it likes. */
#define HG_KEYS 384

/* A value up to this size is kept. */
#define HG_KEPT_VALUE 256

enum hg_key_role { HG_KEY_PLAIN, HG_KEY_METHOD, HG_KEY_URI, HG_KEY_SCHEME };

struct hg_key {
	PyObject *name;      /* interned str; owned */
	PyObject *value;     /* str of the value that is kept; owned, or NULL */
	struct hg_key *next; /* the key that followed it last time: a guess that spares a search */
	enum hg_key_role role;
	uint32_t hash;
	bool keeps; /* its values are kept */
	/* The variable as it stands in a packet: length and key, then, if there is a value, length and value. One
	 * comparison tells whether a variable is the same as last time. */
	size_t key_size;    /* bytes of length and key */
	size_t record_size; /* bytes in all */
	unsigned char record[];
};

struct hg_keys;

/* Makes a cache that knows the usual keys: NULL with an exception on failure. It lives as long as its thread. */
struct hg_keys *hg_keys_new(void);

/* Returns the key of v, borrowed, for ever valid; *error says what is wrong with it. NULL without an error: it is not
 * cached. */
struct hg_key *hg_keys_find(struct hg_keys *keys, const struct hg_var *v, const char **error);

/* Returns the str of v's value, a new reference, and keeps it if k (may be NULL) keeps values. NULL with an exception. */
PyObject *hg_key_value(struct hg_key *k, const struct hg_var *v);

#endif
