#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "overseer.h"
#include "scoreboard.h"
#include "wsgi.h"

struct hg_worker hg_worker;

static struct hg_slot *slots;
static bool multiprocess;

static void init_thread(struct hg_thread *t, unsigned index)
{
	t->index = index;
	t->slot = &slots[index];
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
}

int hg_worker_init(const char *app, uint32_t number, int control, int queue, int board, const struct hg_hooks *hooks)
{
	struct hg_worker *w = &hg_worker;
	uint32_t processes;
	slots = hg_board_map(board, number, &w->threads, &processes);
	close(board);
	if (slots)
		w->thread = calloc(w->threads, sizeof *w->thread);
	if (!slots || !w->thread) {
		py.PyErr_SetFromErrno(HG_PY_EXC(OSError));
		return -1;
	}
	multiprocess = processes > 1;
	w->app = app;
	w->number = number;
	w->queue = queue;
	w->control = control;
	w->hooks = *hooks;
	for (size_t i = 0; i < sizeof *hooks / sizeof(PyObject *); i++)
		py.Py_IncRef(((PyObject **)&w->hooks)[i]);
	for (unsigned i = 0; i < w->threads; i++)
		init_thread(&w->thread[i], i);
	if (hg_wsgi_init() < 0)
		return -1;
	if ((errno = hg_overseer_start())) {
		py.PyErr_SetFromErrno(HG_PY_EXC(OSError));
		return -1;
	}
	return 0;
}

void hg_worker_stop(void)
{
	atomic_store(&hg_worker.stopping, true);
}

void hg_worker_forget(void)
{
	static struct hg_slot nowhere; /* the scoreboard is the parent's */
	hg_worker.forked = true;
	for (unsigned i = 0; i < hg_worker.threads; i++)
		hg_worker.thread[i].slot = &nowhere;
	hg_worker_stop();
	hg_stream_forget();
	close(hg_worker.queue);
	close(hg_worker.control);
}

/* ---- receiving ------------------------------------------------------------------ */

enum received {
	RECEIVED,
	RECEIVED_JUNK,
	RECEIVED_NOTHING,
	RECEIVED_SIGNAL, /* a signal handler of the application has raised: an exception is set */
	RECEIVED_END,
};

/* Notes on the scoreboard that the message in t->buffer is this thread's, if it is a request. No GIL needed. */
static void note_received(struct hg_thread *t, ssize_t n)
{
	struct hg_request r;
	if (n < (ssize_t)sizeof r)
		return;
	memcpy(&r, t->buffer, sizeof r);
	if (r.magic == HG_REQUEST_MAGIC)
		hg_slot_begin(t->slot, &r);
}

/* Sleeps in recvmsg without the GIL. What came is noted before the GIL is waited for: another thread of the application may
 * hold it for long, and the front takes a request that nobody has noted for one that died with its worker. */
static ssize_t receive_blocking(struct hg_thread *t, struct msghdr *msg)
{
	PyThreadState *state = py.PyEval_SaveThread();
	ssize_t n = -1;
	errno = EINTR;
	if (!atomic_load(&hg_worker.stopping))
		n = recvmsg(hg_worker.queue, msg, MSG_CMSG_CLOEXEC);
	int error = errno;
	note_received(t, n);
	py.PyEval_RestoreThread(state);
	errno = error;
	return n;
}

static const char *check_fds(const struct hg_message *m, int n)
{
	int want = m->header.flags & HG_REQUEST_BODY_FD ? 1 : 0;
	return n == want ? NULL : "it has another number of descriptors than it says";
}

static enum received receive_error(void)
{
	if (errno == EINTR || errno == EAGAIN)
		return RECEIVED_NOTHING;
	if (!hg_worker.forked)
		hg_log("cannot receive from the queue: %s", strerror(errno));
	return RECEIVED_END;
}

/* Receives one message into t->message; *body_fd is its descriptor or -1. Tries without releasing the GIL first: under
 * load the next request is already there. */
static enum received receive(struct hg_thread *t, int *body_fd)
{
	union {
		char data[CMSG_SPACE(sizeof(int) * 4)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {t->buffer, HG_MESSAGE_SIZE};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.data, .msg_controllen = sizeof control.data};

	ssize_t n = recvmsg(hg_worker.queue, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == EAGAIN) {
		/* Before the sleep: a signal that came in the meantime will not interrupt that. */
		if (py.PyErr_CheckSignals() < 0)
			return RECEIVED_SIGNAL;
		msg.msg_controllen = sizeof control.data;
		n = receive_blocking(t, &msg);
	}
	if (n < 0)
		return receive_error();
	*body_fd = -1;
	int n_fds = msg.msg_controllen ? hg_take_fds(&msg, body_fd, 1) : 0;
	if (n == 0 && hg_hung_up(hg_worker.queue))
		return RECEIVED_END;

	t->message.header.magic = 0;
	const char *error = hg_message_parse(t->buffer, (size_t)n, &t->message);
	if (!error && msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		error = "it or its descriptors were cut off";
	if (!error)
		error = check_fds(&t->message, n_fds);
	if (!error)
		return RECEIVED;
	hg_log("dropped a queue message of %zd bytes: %s", n, error);
	if (n_fds > 0)
		close(*body_fd);
	*body_fd = -1;
	return RECEIVED_JUNK;
}

/* ---- serving ---------------------------------------------------------------------- */

/* Makes t->stream that of the front of the request. False if there is none: the front has gone, or the message lied. */
static bool choose_stream(struct hg_thread *t)
{
	uint32_t front = t->message.header.front;
	if (t->stream && t->stream->front == front && !atomic_load(&t->stream->dead))
		return true;
	if (t->stream)
		hg_stream_release(t->stream);
	t->stream = hg_stream_find(front);
	if (t->stream)
		return true;
	hg_log("dropped request %llu: front %u has gone or is unknown", (unsigned long long)t->message.header.id,
		front);
	return false;
}

/* From here on notes reach this request. */
static void open_window(struct hg_thread *t)
{
	pthread_mutex_lock(&t->lock);
	t->front = t->message.header.front;
	t->id = t->message.header.id;
	atomic_store_explicit(&t->window, HG_WINDOW, memory_order_relaxed);
	atomic_store_explicit(&t->cancelled, false, memory_order_relaxed);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void serve_request(struct hg_thread *t, int body_fd)
{
	if (t->slot->state != HG_SLOT_BUSY)
		hg_slot_begin(t->slot, &t->message.header);
	if (choose_stream(t)) {
		open_window(t);
		hg_wsgi_run(t, body_fd);
	} else if (body_fd >= 0) {
		close(body_fd);
	}
	hg_slot_end(t->slot);
}

/* A message that cannot be served still gets an answer if it says whose it is. */
static void refuse_request(struct hg_thread *t)
{
	if (t->message.header.magic == HG_REQUEST_MAGIC && choose_stream(t)) {
		open_window(t);
		hg_response_begin(&t->response);
		hg_response_abort(t);
	}
	hg_slot_state(t->slot, HG_SLOT_IDLE);
}

static int start_thread(struct hg_thread *t)
{
	/* One mapping: the message, then a frame and its head. */
	size_t head_at = (HG_MESSAGE_SIZE + sizeof(struct hg_frame) + 63) & ~(size_t)63;
	t->buffer = mmap(NULL, head_at + HG_MAX_HEAD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->buffer == MAP_FAILED) {
		py.PyErr_SetFromErrno(HG_PY_EXC(OSError));
		return -1;
	}
	t->response.head.data = t->buffer + head_at;
	t->environ = hg_environ_new(hg_worker.threads > 1, multiprocess, hg_worker.hooks.file_wrapper);
	if (!t->environ)
		return -1;
	t->self = pthread_self();
	pthread_mutex_lock(&t->lock);
	atomic_store(&t->running, true);
	pthread_mutex_unlock(&t->lock);
	hg_slot_open(t->slot);
	if (t->index == 0)
		hg_control_send(hg_worker.control, HG_CTL_READY, hg_worker.number, 0, NULL);
	return 0;
}

static void end_thread(struct hg_thread *t)
{
	hg_slot_state(t->slot, HG_SLOT_EMPTY);
	pthread_mutex_lock(&t->lock);
	atomic_store(&t->running, false);
	pthread_mutex_unlock(&t->lock);
	if (t->stream && !hg_worker.forked)
		hg_stream_release(t->stream);
	t->stream = NULL;
}

/* A signal handler of the application has raised between requests. SystemExit ends the worker, as it ends any program:
 * -1 is returned with it. Others are logged. */
static int handle_signal_error(void)
{
	if (py.PyErr_ExceptionMatches(HG_PY_EXC(SystemExit))) {
		hg_worker_stop();
		return -1;
	}
	py.PyErr_WriteUnraisable(NULL);
	return 0;
}

int hg_worker_serve(unsigned index)
{
	struct hg_thread *t = &hg_worker.thread[index];
	int body_fd, rc = start_thread(t);
	while (rc == 0 && !atomic_load_explicit(&hg_worker.stopping, memory_order_relaxed)) {
		switch (receive(t, &body_fd)) {
		case RECEIVED:
			serve_request(t, body_fd);
			break;
		case RECEIVED_NOTHING:
			break;
		case RECEIVED_SIGNAL:
			rc = handle_signal_error();
			break;
		case RECEIVED_JUNK:
			refuse_request(t);
			break;
		case RECEIVED_END:
			hg_worker_stop(); /* the queue is closed: nothing will ever come */
			break;
		}
	}
	end_thread(t);
	return rc;
}
