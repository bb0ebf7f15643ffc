/* wsgi.input: the body of a request as a file. */
#ifndef HG_INPUT_H
#define HG_INPUT_H

#include "message.h"
#include "py_api.h"

/* Looks up what is needed. GIL held. Returns 0, or -1 with an exception. */
int hg_input_init(void);

/* Returns wsgi.input for m, a new reference, or NULL with an exception. fd is the descriptor that came with m, which it
 * takes over, or -1. GIL held. */
PyObject *hg_input_open(const struct hg_message *m, int fd);

#endif
