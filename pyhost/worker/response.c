#include "response.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "scoreboard.h"
#include "worker.h"

/* The most frames that are handed to the kernel in one call. */
#define BATCH 8

/* A body up to this size is copied behind its head rather than gathered by the kernel, which costs more. */
#define SMALL 4096

void hg_response_begin(struct hg_response *r)
{
	unsigned char *data = r->head.data;
	*r = (struct hg_response){.head = {.data = data, .content_length = -1}};
}

static bool gone(struct hg_thread *t)
{
	struct hg_response *r = &t->response;
	if (!r->broken && atomic_load_explicit(&t->cancelled, memory_order_relaxed))
		r->broken = true;
	return r->broken;
}

/* Waits until the front has granted window, without the GIL. Returns false when nobody waits for the response, or when
 * its request has ended: write() may run in a thread of the application. */
static bool wait_for_window(struct hg_thread *t)
{
	uint64_t serial = t->serial, id = t->message.header.id;
	PyThreadState *state = py.PyEval_SaveThread();
	pthread_mutex_lock(&t->lock);
	while (t->id == id && atomic_load(&t->window) <= 0 && !atomic_load(&t->cancelled))
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
	py.PyEval_RestoreThread(state);
	return t->serial == serial && !gone(t);
}

/* Takes up to n bytes of the window; waits if there is none. Returns 0 when nothing can be sent any more. */
static size_t take_window(struct hg_thread *t, size_t n)
{
	int64_t window = atomic_load_explicit(&t->window, memory_order_relaxed);
	while (window <= 0) {
		if (!wait_for_window(t))
			return 0;
		window = atomic_load(&t->window);
	}
	if (n > (size_t)window)
		n = (size_t)window;
	atomic_fetch_sub(&t->window, (int64_t)n);
	return n;
}

/* Frames that are sent together. */
struct batch {
	struct hg_frame frames[BATCH];
	struct iovec iov[2 * BATCH + 1];
	int n_frames, n_iov;
};

static void add_iov(struct batch *b, const void *p, size_t n)
{
	b->iov[b->n_iov++] = (struct iovec){(void *)p, n};
}

/* Adds one frame, with the head if that has not been sent, and n bytes of body. */
static void add_frame(struct hg_thread *t, struct batch *b, const void *p, size_t n, uint32_t flags)
{
	struct hg_response *r = &t->response;
	struct hg_frame *f = &b->frames[b->n_frames++];
	size_t head_len = r->head_sent ? 0 : r->head.len;
	*f = (struct hg_frame){
		.length = (uint32_t)(head_len + n),
		.flags = flags | (head_len ? HG_FRAME_HEAD : 0),
		.id = t->message.header.id,
		.head_len = (uint32_t)head_len,
	};
	add_iov(b, f, sizeof *f);
	if (head_len)
		add_iov(b, r->head.data, head_len);
	if (n)
		add_iov(b, p, n);
	r->head_sent = true;
}

/* Sends the batch. Returns false, and the response is broken, if the front has gone. */
static bool flush(struct hg_thread *t, struct batch *b, bool fin)
{
	uint64_t serial = t->serial;
	enum hg_sent sent = hg_stream_send(t->stream, b->iov, b->n_iov, -1);
	if (t->serial != serial)
		return false; /* write() ran in a thread of the application; the request ended meanwhile */
	if (sent != HG_SENT) {
		t->response.broken = true;
		return false;
	}
	if (fin) {
		t->response.finished = true;
		hg_slot_closing(t->slot);
	}
	return true;
}

/* A whole small response, with its head: written in one piece where the head already stands. */
static enum hg_step transmit_small(struct hg_thread *t, const char *p, size_t n)
{
	struct hg_response *r = &t->response;
	if (n && !take_window(t, n)) /* the window is new and larger */
		return HG_OVER;
	unsigned char *start = r->head.data - sizeof(struct hg_frame);
	struct hg_frame f = {
		.length = (uint32_t)(r->head.len + n),
		.flags = HG_FRAME_HEAD | HG_FRAME_FIN,
		.id = t->message.header.id,
		.head_len = (uint32_t)r->head.len,
	};
	memcpy(start, &f, sizeof f);
	if (n)
		memcpy(r->head.data + r->head.len, p, n);
	struct batch b = {.n_frames = 0};
	add_iov(&b, start, sizeof f + f.length);
	r->head_sent = true;
	r->sent = n;
	hg_slot_sent(t->slot, n);
	return flush(t, &b, true) ? HG_GO_ON : HG_OVER;
}

/* Sends n bytes; with fin, they are the last ones. */
static enum hg_step transmit(struct hg_thread *t, const char *p, size_t n, bool fin)
{
	if (fin && !t->response.head_sent && n <= SMALL && t->response.head.len + n <= HG_MAX_HEAD)
		return transmit_small(t, p, n);
	do {
		struct batch b = {.n_frames = 0};
		size_t granted = n ? take_window(t, n < BATCH * HG_MAX_FRAME ? n : BATCH * HG_MAX_FRAME) : 0;
		if (n && !granted)
			return HG_OVER;
		bool last = granted == n && fin;
		n -= granted;
		t->response.sent += granted;
		hg_slot_sent(t->slot, granted);
		do {
			size_t piece = granted < HG_MAX_FRAME ? granted : HG_MAX_FRAME;
			granted -= piece;
			add_frame(t, &b, p, piece, last && !granted ? HG_FRAME_FIN : 0);
			p += piece;
		} while (granted);
		if (!flush(t, &b, last))
			return HG_OVER;
	} while (n);
	return HG_GO_ON;
}

/* What the response may have: nothing with HEAD, 204 and 304. */
static bool no_body(const struct hg_response *r)
{
	return r->only_head || r->head.status == 204 || r->head.status == 304;
}

static void log_length(struct hg_thread *t, const char *what)
{
	struct hg_response *r = &t->response;
	int n = (int)(t->line.uri_len < 512 ? t->line.uri_len : 512);
	hg_log("%.*s %.*s: the application gave %s than its Content-Length of %lld bytes", (int)t->line.method_len,
		t->line.method, n, t->line.uri, what, (long long)r->head.content_length);
}

void hg_response_length(struct hg_response *r, uint64_t n)
{
	if (!r->started || r->head_sent || r->head.content_length >= 0 || r->head.status == 204 ||
		r->head.status == 304)
		return;
	hg_head_add_length(&r->head, n);
	r->head.content_length = (int64_t)n;
}

/* Holds n, the bytes to come, against Content-Length, and sets *fin if they complete it. */
static enum hg_step check_length(struct hg_thread *t, size_t *n, bool last, bool *fin)
{
	struct hg_response *r = &t->response;
	*fin = last;
	if (r->head.content_length < 0)
		return HG_GO_ON;
	uint64_t room = (uint64_t)r->head.content_length - r->sent;
	if (*n > room) {
		log_length(t, "more");
		r->cut = true;
		*n = (size_t)room;
	}
	if (last && *n < room) {
		log_length(t, "less");
		hg_response_abort(t);
		return HG_OVER;
	}
	*fin = *n == room;
	return HG_GO_ON;
}

enum hg_step hg_response_body(struct hg_thread *t, const char *p, size_t n, bool last)
{
	struct hg_response *r = &t->response;
	/* PEP 3333: the head goes with the first body bytes, or at the end; before those come, an iterable may even
	 * yield empty chunks without having called start_response. */
	if (!n && !last && !gone(t))
		return HG_GO_ON;
	if (!r->started) {
		py.PyErr_SetString(HG_PY_EXC(AssertionError), "the application did not call start_response");
		return HG_RAISED;
	}
	if (gone(t))
		return HG_OVER;
	if (r->finished) {
		if (n && !r->cut && !no_body(r)) {
			r->cut = true;
			log_length(t, "more");
		}
		return n ? HG_OVER : HG_GO_ON;
	}
	if (last && (n || !r->only_head)) /* an empty answer to a HEAD says nothing of the length of a GET's */
		hg_response_length(r, n);
	if (no_body(r))
		return transmit(t, NULL, 0, true);
	bool fin;
	enum hg_step step = check_length(t, &n, last, &fin);
	if (step != HG_GO_ON)
		return step;
	return transmit(t, p, n, fin);
}

enum hg_step hg_response_file(struct hg_thread *t, int fd, uint64_t offset, uint64_t count)
{
	struct hg_response *r = &t->response;
	struct hg_file file = {.offset = offset, .count = count};
	struct batch b = {.n_frames = 0};
	bool head_sent = r->head_sent;
	add_frame(t, &b, &file, sizeof file, HG_FRAME_FILE | HG_FRAME_FIN);
	switch (hg_stream_send(t->stream, b.iov, b.n_iov, fd)) {
	case HG_SENT:
		r->sent += count;
		r->finished = true;
		hg_slot_sent(t->slot, count);
		hg_slot_closing(t->slot);
		return HG_GO_ON;
	case HG_SENT_REFUSED: /* too many descriptors are under way */
		r->head_sent = head_sent;
		return HG_GO_ON;
	case HG_SENT_DEAD:
		break;
	}
	r->broken = true;
	return HG_OVER;
}

void hg_response_abort(struct hg_thread *t)
{
	struct hg_response *r = &t->response;
	if (r->finished || gone(t))
		return;
	struct hg_frame f = {.flags = HG_FRAME_ABORT, .id = t->message.header.id};
	struct iovec iov = {&f, sizeof f};
	if (hg_stream_send(t->stream, &iov, 1, -1) != HG_SENT)
		r->broken = true;
	r->finished = true;
	hg_slot_closing(t->slot);
}
