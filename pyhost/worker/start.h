/* start_response and the write callable that it returns (PEP 3333). */
#ifndef HG_START_H
#define HG_START_H

#include "py_api.h"

struct hg_thread;

/* Begins a request: returns its start_response, a new reference, or NULL with an exception. It works until t->serial is
 * changed, and raises RuntimeError from then on; so does its write. GIL held. */
PyObject *hg_start_new(struct hg_thread *t);

#endif
