/* The zygote: it has imported the application and now does what the master says. It stays single-threaded and never
 * serves a request. */
#ifndef HG_ZYGOTE_H
#define HG_ZYGOTE_H

#include <stdint.h>

#define HG_ZYGOTE_STOP (-1)

/* What a worker gets from its zygote. */
struct hg_birth {
	uint32_t worker; /* number, from 0 */
	int control;     /* its control socket; taken over */
};

/* Serves the master on descriptor `control` until it says stop or dies (HG_ZYGOTE_STOP is returned), or until a fork: in
 * the child it returns 0 and fills birth; the control socket of the zygote is closed there, and 1 and 2 are the
 * worker's log pipe. GIL held on entry and return, released while waiting. */
int hg_zygote_run(int control, struct hg_birth *birth);

#endif
