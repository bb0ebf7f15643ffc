#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "py_api.h"

/* How long a request waits for the stream of its front. */
#define FIND_SECONDS 1

/* How many fronts that have gone are remembered. */
#define GONE 64

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a stream was added */
	struct hg_stream *list[HG_STREAMS];
	int n;
	/* Fronts that have gone, or that were waited for in vain: what they left in the queue is not worth another
	 * wait. A ring; 0 is no front. */
	uint32_t gone[GONE];
	unsigned gone_at;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static bool is_gone(uint32_t front)
{
	for (int i = 0; i < GONE; i++)
		if (table.gone[i] == front && front)
			return true;
	return false;
}

static void set_gone(uint32_t front, bool gone)
{
	if (gone && !is_gone(front))
		table.gone[table.gone_at++ % GONE] = front;
	for (int i = 0; i < GONE && !gone; i++)
		if (table.gone[i] == front)
			table.gone[i] = 0;
}

void hg_stream_release(struct hg_stream *s)
{
	if (atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Marks s dead and wakes who waits in sendmsg. */
static void kill_stream(struct hg_stream *s)
{
	atomic_store(&s->dead, true);
	shutdown(s->fd, SHUT_RDWR);
}

/* Takes the stream of a front out of the table; NULL if there is none. */
static struct hg_stream *remove_locked(uint32_t front)
{
	for (int i = 0; i < table.n; i++) {
		struct hg_stream *s = table.list[i];
		if (s->front != front)
			continue;
		table.list[i] = table.list[--table.n];
		return s;
	}
	return NULL;
}

static void discard(struct hg_stream *s)
{
	if (!s)
		return;
	kill_stream(s);
	hg_stream_release(s);
}

void hg_stream_drop(uint32_t front)
{
	pthread_mutex_lock(&table.lock);
	struct hg_stream *s = remove_locked(front);
	set_gone(front, true);
	pthread_mutex_unlock(&table.lock);
	discard(s);
}

void hg_stream_add(uint32_t front, int fd)
{
	struct hg_stream *s = calloc(1, sizeof *s);
	if (!s) {
		close(fd);
		return;
	}
	s->fd = fd;
	s->front = front;
	s->refs = 1;
	pthread_mutex_init(&s->lock, NULL);

	pthread_mutex_lock(&table.lock);
	struct hg_stream *old = remove_locked(front);
	bool full = table.n == HG_STREAMS;
	if (!full) {
		table.list[table.n++] = s;
		set_gone(front, false);
	}
	pthread_cond_broadcast(&table.changed);
	pthread_mutex_unlock(&table.lock);
	discard(old);
	if (full) {
		hg_log("dropped the stream of front %u: there are %d already", front, HG_STREAMS);
		hg_stream_release(s);
	}
}

int hg_stream_list(struct hg_stream **list, int max)
{
	int n = table.n < max ? table.n : max; /* the control thread alone changes the table */
	memcpy(list, table.list, sizeof *list * (size_t)n);
	return n;
}

bool hg_stream_notes(struct hg_stream *s, void (*note)(const struct hg_stream *s, const struct hg_note *n))
{
	unsigned char buf[sizeof(struct hg_note) * 64];
	memcpy(buf, s->note, s->note_len);
	ssize_t got = recv(s->fd, buf + s->note_len, sizeof buf - s->note_len, MSG_DONTWAIT);
	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);

	size_t n = s->note_len + (size_t)got, used = 0;
	for (; n - used >= sizeof(struct hg_note); used += sizeof(struct hg_note)) {
		struct hg_note one;
		memcpy(&one, buf + used, sizeof one);
		if (one.type != HG_NOTE_WINDOW && one.type != HG_NOTE_CANCEL) {
			hg_log("dropped the stream of front %u: unknown note %u", s->front, one.type);
			return false;
		}
		note(s, &one);
	}
	s->note_len = n - used;
	memcpy(s->note, buf + used, s->note_len);
	return true;
}

static struct hg_stream *find_locked(uint32_t front)
{
	for (int i = 0; i < table.n; i++) {
		if (table.list[i]->front != front)
			continue;
		atomic_fetch_add(&table.list[i]->refs, 1);
		return table.list[i];
	}
	return NULL;
}

static struct hg_stream *wait_locked(uint32_t front)
{
	struct timespec deadline;
	struct hg_stream *s = NULL;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += FIND_SECONDS;
	while (!s && !is_gone(front) &&
		pthread_cond_clockwait(&table.changed, &table.lock, CLOCK_MONOTONIC, &deadline) != ETIMEDOUT)
		s = find_locked(front);
	if (!s)
		set_gone(front, true);
	return s;
}

struct hg_stream *hg_stream_find(uint32_t front)
{
	PyThreadState *state = py.PyEval_SaveThread();
	pthread_mutex_lock(&table.lock);
	struct hg_stream *s = find_locked(front);
	if (!s)
		s = wait_locked(front);
	pthread_mutex_unlock(&table.lock);
	py.PyEval_RestoreThread(state);
	return s;
}

/* Takes `sent` bytes off the front of the pieces. */
static void advance(struct msghdr *msg, size_t sent)
{
	while (msg->msg_iovlen && sent >= msg->msg_iov->iov_len) {
		sent -= msg->msg_iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	if (sent) {
		msg->msg_iov->iov_base = (char *)msg->msg_iov->iov_base + sent;
		msg->msg_iov->iov_len -= sent;
	}
}

/* One send call: send for one piece of memory is cheaper than sendmsg. */
static ssize_t send_some(int fd, const struct msghdr *msg, int flags)
{
	if (msg->msg_iovlen == 1 && !msg->msg_controllen)
		return send(fd, msg->msg_iov->iov_base, msg->msg_iov->iov_len, flags);
	return sendmsg(fd, msg, flags);
}

/* Sends all of msg under s->lock. Releases the GIL into *state when it must wait. */
static enum hg_sent send_all(struct hg_stream *s, struct msghdr *msg, PyThreadState **state)
{
	bool begun = false;
	while (msg->msg_iovlen) {
		if (atomic_load_explicit(&s->dead, memory_order_relaxed))
			return HG_SENT_DEAD;
		ssize_t n = send_some(s->fd, msg, MSG_NOSIGNAL | (*state ? 0 : MSG_DONTWAIT));
		if (n >= 0) {
			begun = true;
			advance(msg, (size_t)n);
			msg->msg_control = NULL; /* descriptors went with the first byte */
			msg->msg_controllen = 0;
		} else if (errno == EAGAIN && !*state) {
			*state = py.PyEval_SaveThread();
		} else if (errno != EINTR && errno != EAGAIN) {
			if (!begun && errno != EPIPE && errno != ECONNRESET && errno != ENOTCONN)
				return HG_SENT_REFUSED;
			kill_stream(s);
			return HG_SENT_DEAD;
		}
	}
	return HG_SENT;
}

enum hg_sent hg_stream_send(struct hg_stream *s, struct iovec *iov, int n, int fd)
{
	union {
		char data[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	if (fd >= 0) {
		msg.msg_control = control.data;
		msg.msg_controllen = sizeof control.data;
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}

	PyThreadState *state = NULL;
	if (pthread_mutex_trylock(&s->lock) != 0) {
		state = py.PyEval_SaveThread();
		pthread_mutex_lock(&s->lock);
	}
	enum hg_sent result = send_all(s, &msg, &state);
	int error = errno;
	pthread_mutex_unlock(&s->lock);
	if (state)
		py.PyEval_RestoreThread(state);
	errno = error;
	return result;
}

void hg_stream_forget(void)
{
	/* The other threads do not exist in this child, so their locks mean nothing. */
	for (int i = 0; i < table.n; i++) {
		atomic_store(&table.list[i]->dead, true);
		close(table.list[i]->fd);
	}
	table.n = 0;
}
