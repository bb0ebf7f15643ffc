/* The environ of a request (PEP 3333), made from the variables of its packet. Each thread has its own maker, which
 * keeps what requests have in common: see keys.h for which values that may be. */
#ifndef HG_ENVIRON_H
#define HG_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"
#include "py_api.h"

struct hg_environ;

/* What the worker itself needs to know of a request. Points into the message. */
struct hg_request_line {
	const char *method, *uri;
	size_t method_len, uri_len;
	bool https;
};

/* Makes a maker: NULL with an exception on failure. It lives as long as its thread. file_wrapper is borrowed.
 * GIL held. */
struct hg_environ *hg_environ_new(bool multithread, bool multiprocess, PyObject *file_wrapper);

/* Makes the environ of m, all but wsgi.input: new reference. On failure it returns NULL, either with an exception or
 * with *error set to what is wrong with the message (static text). GIL held. */
PyObject *hg_environ_build(
	struct hg_environ *e, const struct hg_message *m, struct hg_request_line *line, const char **error);

/* Sets wsgi.input. Returns 0, or -1 with an exception. GIL held. */
int hg_environ_set_input(struct hg_environ *e, PyObject *environ, PyObject *input);

#endif
