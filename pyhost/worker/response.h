/* The response of the request that a thread runs: what start_response was told, and what has been sent of it. */
#ifndef HG_RESPONSE_H
#define HG_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "head.h"

struct hg_thread;

struct hg_response {
	struct hg_head head;
	bool only_head; /* the request is a HEAD */
	bool started;   /* start_response was called: head is set */
	bool head_sent;
	bool finished; /* the last frame, FIN or ABORT, was sent */
	bool broken;   /* nobody waits any more: nothing is sent */
	bool cut;      /* the application gave more than its Content-Length; logged */
	uint64_t sent; /* body bytes */
};

enum hg_step {
	HG_GO_ON,
	HG_RAISED, /* a Python exception is set */
	HG_OVER, /* nothing more can be sent: finished, broken, or too much or too little for Content-Length (logged) */
};

/* Begins the response of a new request. */
void hg_response_begin(struct hg_response *r);

/* Says that the whole body has n bytes: they become the Content-Length if the application set none. GIL held. */
void hg_response_length(struct hg_response *r, uint64_t n);

/* Sends n bytes of body, and the head before the first of them. `last` says that nothing follows: then n may be 0, and
 * the response ends. p must stay valid while the GIL is released. GIL held; released only while waiting. */
enum hg_step hg_response_body(struct hg_thread *t, const char *p, size_t n, bool last);

/* Sends count bytes of the regular file fd from offset on as the rest of the response. Returns HG_GO_ON if that cannot
 * be done and the content must be sent as body. fd stays the caller's. GIL held. */
enum hg_step hg_response_file(struct hg_thread *t, int fd, uint64_t offset, uint64_t count);

/* Tells the front that the application failed, unless the response is finished. GIL held. */
void hg_response_abort(struct hg_thread *t);

#endif
