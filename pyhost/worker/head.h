/* A response head: checked as PEP 3333 asks, and encoded as struct hg_frame describes it. */
#ifndef HG_HEAD_H
#define HG_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "py_api.h"
#include "wire.h"

/* Room that is kept for the number of fields and a Content-Length that we add. */
#define HG_HEAD_SPARE 64

struct hg_head {
	unsigned char *data; /* HG_MAX_HEAD bytes, with room for a struct hg_frame before them; owned by the thread */
	size_t len;
	size_t count_at; /* where in data the number of fields stands */
	unsigned count;
	int status;
	int64_t content_length; /* as the application set it; -1 if it did not */
};

/* Encodes status and headers (both borrowed). Returns 0, or -1 with TypeError or ValueError: nothing of h is valid then.
 * Hop-by-hop fields, which an application must not set, are left out and logged once each. GIL held. */
int hg_head_set(struct hg_head *h, PyObject *status, PyObject *headers);

/* Adds Content-Length. Once, and only if the application did not set it. No GIL needed. */
void hg_head_add_length(struct hg_head *h, uint64_t n);

#endif
