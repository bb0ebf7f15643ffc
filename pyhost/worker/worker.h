/* One worker process: what its threads share, and what one thread owns.
 *
 * Threads: `threads` Python threads serve requests; thread 0 is the main thread. One native thread, the overseer, reads
 * the control socket and the notes of the fronts; it never takes the GIL. */
#ifndef HG_WORKER_H
#define HG_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "environ.h"
#include "message.h"
#include "py_api.h"
#include "response.h"
#include "stream.h"
#include "wire.h"

/* Python objects that the bootstrap hands over; all references are held for as long as the process lives. */
struct hg_hooks {
	PyObject *application;  /* application(environ, start_response) */
	PyObject *file_wrapper; /* the class in wsgi.file_wrapper */
	PyObject *file_region;  /* file_region(wrapper) -> (descriptor, offset, count) or None */
	PyObject *open_body;    /* open_body(descriptor, length) -> file; takes the descriptor over */
	PyObject *report;       /* report(type, value, traceback, what, method, uri, id): logs an exception */
};

struct hg_thread {
	/* Used by this thread alone. */
	unsigned index;
	struct hg_slot *slot;
	unsigned char *buffer; /* HG_MESSAGE_SIZE bytes */
	struct hg_environ *environ;
	struct hg_stream *stream; /* of the front that was answered last; owned reference or NULL */
	uint64_t serial;          /* of the request: what start_response and write belong to. 0 between requests */
	uint64_t last_serial;
	struct hg_message message; /* the request that runs */
	struct hg_request_line line;
	struct hg_response response;

	/* Which response notes are for. */
	pthread_mutex_t lock; /* guards front and id */
	uint32_t front;
	uint64_t id;
	_Atomic int64_t window; /* body bytes that may be sent: the overseer adds, this thread subtracts */
	_Atomic bool cancelled; /* nobody waits for the response */
	pthread_cond_t changed; /* with lock: window has grown, or cancelled was set */

	/* To wake it up for a stop. */
	_Atomic bool running; /* id_ is valid, the thread may be in recvmsg */
	pthread_t self;
};

struct hg_worker {
	const char *app;
	uint32_t number; /* from 0 */
	unsigned threads;
	int queue, control;
	struct hg_hooks hooks;
	struct hg_thread *thread; /* `threads` of them */
	_Atomic bool stopping;    /* no thread takes another request */
	bool forked;              /* this is a child that the application forked: not a worker any more */
};

/* The worker of this process; set up by hg_worker_init. */
extern struct hg_worker hg_worker;

/* Turns the process, just forked, into a worker: maps the scoreboard, starts the overseer. GIL held. Returns 0, or -1
 * with an exception. Steals nothing: hooks are counted up. */
int hg_worker_init(const char *app, uint32_t number, int control, int queue, int board, const struct hg_hooks *hooks);

/* Serves requests on thread `index` until the worker stops. GIL held, released while waiting. Returns 0, or -1 with
 * SystemExit when a signal handler of the application raised that, or another exception when it cannot start. */
int hg_worker_serve(unsigned index);

/* Makes a child that the application forked let go of the sockets of the worker. GIL held. */
void hg_worker_forget(void);

/* Ends all serving: threads finish what they run. Wakes nobody; that is the overseer's work. Any thread. */
void hg_worker_stop(void);

#endif
