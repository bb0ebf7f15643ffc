/* A queue message, taken apart: the header, the uwsgi packet, the body. Pure functions over bytes; no GIL needed. */
#ifndef HG_MESSAGE_H
#define HG_MESSAGE_H

#include <stddef.h>

#include "wire.h"

/* Room for the largest message and one byte, so that a larger one shows. */
#define HG_MESSAGE_SIZE (sizeof(struct hg_request) + HG_MAX_VARS + HG_MAX_INLINE_BODY + 1)

struct hg_message {
	struct hg_request header;
	const unsigned char *vars; /* the block of variables, without the packet's own header */
	size_t vars_len;
	const unsigned char *body; /* inline body: body_len bytes, none with HG_REQUEST_BODY_FD */
	size_t body_len;
};

/* Takes a message of n bytes apart; the result points into p. Returns NULL, or what is wrong with it (static text).
 * The header is filled in as soon as it has been found whole, even if the rest is wrong. */
const char *hg_message_parse(const unsigned char *p, size_t n, struct hg_message *m);

/* One variable of a packet; both point into it, neither ends with NUL. */
struct hg_var {
	const char *key, *value;
	size_t key_len, value_len;
};

/* Cuts one variable off the block *p, which ends at end. Returns NULL, or what is wrong (static text). It judges the
 * lengths only: see hg_var_key_error. */
const char *hg_var_cut(const unsigned char **p, const unsigned char *end, struct hg_var *v);

/* Returns what is wrong with a key (static text): empty, a control character or space in it, or UWSGI_ in front, which
 * in uWSGI loads files and code. NULL if nothing is. */
const char *hg_var_key_error(const char *key, size_t n);

#endif
