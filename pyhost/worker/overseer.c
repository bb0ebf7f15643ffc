#include "overseer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "stream.h"
#include "worker.h"

/* While the worker stops, threads that sleep in recvmsg are woken this often, until they have left it. Repeated, since
 * a signal can arrive just before the sleep begins. */
#define WAKE_MS 10

/* The signal that wakes them. By default it is ignored, so that it does no harm to anybody who meets it unexpectedly. */
#define WAKE_SIGNAL SIGURG

#define STACK_SIZE (256 * 1024)

static void wake_up(int signal)
{
	(void)signal; /* recvmsg returns EINTR: that is all */
}

static void wake_threads(void)
{
	struct sigaction action = {.sa_handler = wake_up}; /* without SA_RESTART */
	sigemptyset(&action.sa_mask);
	sigaction(WAKE_SIGNAL, &action, NULL); /* each time: the application may have its own */
	for (unsigned i = 0; i < hg_worker.threads; i++) {
		struct hg_thread *t = &hg_worker.thread[i];
		pthread_mutex_lock(&t->lock);
		if (atomic_load(&t->running))
			pthread_kill(t->self, WAKE_SIGNAL);
		pthread_mutex_unlock(&t->lock);
	}
}

/* The front of s grants window, or wants a response no more. A response that has ended is nobody's. */
static void take_note(const struct hg_stream *s, const struct hg_note *note)
{
	for (unsigned i = 0; i < hg_worker.threads; i++) {
		struct hg_thread *t = &hg_worker.thread[i];
		pthread_mutex_lock(&t->lock);
		if (t->id == note->id && t->front == s->front) {
			if (note->type == HG_NOTE_WINDOW)
				atomic_fetch_add(&t->window, note->count);
			else
				atomic_store(&t->cancelled, true);
			pthread_cond_broadcast(&t->changed);
		}
		pthread_mutex_unlock(&t->lock);
	}
}

/* The front has gone: nobody waits for its responses. */
static void drop_front(uint32_t front)
{
	hg_stream_drop(front);
	for (unsigned i = 0; i < hg_worker.threads; i++) {
		struct hg_thread *t = &hg_worker.thread[i];
		pthread_mutex_lock(&t->lock);
		if (t->front == front) {
			atomic_store(&t->cancelled, true);
			pthread_cond_broadcast(&t->changed);
		}
		pthread_mutex_unlock(&t->lock);
	}
}

static void obey(struct hg_order *order)
{
	switch (order->control.type) {
	case HG_CTL_FRONT:
		if (order->n_fds < 1) {
			hg_log("dropped front %llu: no stream came with it", (unsigned long long)order->control.arg);
			break;
		}
		hg_stream_add((uint32_t)order->control.arg, order->fds[0]);
		order->fds[0] = -1;
		break;
	case HG_CTL_DROP:
		drop_front((uint32_t)order->control.arg);
		break;
	case HG_CTL_STOP:
		hg_worker_stop();
		break;
	default:
		hg_log("ignored control message %u", order->control.type);
	}
	hg_order_close(order);
}

static void read_control(void)
{
	struct hg_order order;
	int got = hg_control_receive(hg_worker.control, &order);
	if (got < 0)
		_exit(1); /* the master has died: nobody needs us, and nobody would ever stop us */
	if (got > 0)
		obey(&order);
}

static void watch(void)
{
	struct hg_stream *streams[HG_STREAMS];
	struct pollfd fds[HG_STREAMS + 1] = {{.fd = hg_worker.control, .events = POLLIN}};
	int n = hg_stream_list(streams, HG_STREAMS);
	for (int i = 0; i < n; i++)
		fds[i + 1] = (struct pollfd){.fd = streams[i]->fd, .events = POLLIN};

	bool stopping = atomic_load(&hg_worker.stopping);
	if (poll(fds, (nfds_t)n + 1, stopping ? WAKE_MS : -1) < 0 && errno != EINTR)
		hg_log("cannot poll: %s", strerror(errno));
	if (stopping)
		wake_threads();
	/* Streams first: read_control may drop one. */
	for (int i = 0; i < n; i++)
		if (fds[i + 1].revents && !hg_stream_notes(streams[i], take_note))
			drop_front(streams[i]->front);
	if (fds[0].revents)
		read_control();
}

static void *oversee(void *unused)
{
	(void)unused;
	for (;;)
		watch();
	return NULL;
}

int hg_overseer_start(void)
{
	/* All signals blocked: they are for the threads that run Python. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_t thread;
	int error = pthread_create(&thread, &attr, oversee, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}
