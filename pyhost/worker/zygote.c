#include "zygote.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "py_api.h"

/* How often children are looked at where the kernel has no pidfd_open (before Linux 5.3, or a strict sandbox). */
#define POLL_MS 50

struct child {
	pid_t pid;
	uint32_t worker;
	int pidfd; /* becomes readable when it ends; -1 where there is none */
};

static struct {
	int control;
	struct child *children;
	struct pollfd *fds; /* of the control socket, then of each child */
	size_t n, room;
} z;

static bool grow(void)
{
	if (z.n < z.room)
		return true;
	size_t room = z.room ? 2 * z.room : 16;
	struct child *children = realloc(z.children, room * sizeof *children);
	if (children)
		z.children = children;
	struct pollfd *fds = realloc(z.fds, (room + 1) * sizeof *fds);
	if (fds)
		z.fds = fds;
	if (!children || !fds)
		return false;
	z.room = room;
	return true;
}

static void report_exit(uint32_t worker, pid_t pid, int status)
{
	hg_control_send(z.control, HG_CTL_EXITED, worker, (uint64_t)(uint32_t)status << 32 | (uint32_t)pid, NULL);
}

/* Waits for children that have ended; only for ours: the application may have some of its own. */
static void reap(void)
{
	for (size_t i = 0; i < z.n;) {
		struct child *c = &z.children[i];
		int status = 0;
		pid_t got = waitpid(c->pid, &status, WNOHANG);
		if (got == 0 || (got < 0 && errno == EINTR)) {
			i++;
			continue;
		}
		if (got < 0)
			status = 0xff00; /* somebody else waited for it, or SIGCHLD is ignored: it ended, unknown how */
		report_exit(c->worker, c->pid, status);
		if (c->pidfd >= 0)
			close(c->pidfd);
		z.children[i] = z.children[--z.n];
	}
}

/* Becomes the worker, in the child. */
static void be_born(struct hg_order *order, struct hg_birth *birth)
{
	birth->worker = order->control.worker;
	birth->control = order->fds[0];
	if (dup2(order->fds[1], 1) < 0 || dup2(order->fds[1], 2) < 0)
		hg_log("cannot use the log pipe: %s", strerror(errno));
	close(order->fds[1]);
	close(z.control);
	for (size_t i = 0; i < z.n; i++)
		if (z.children[i].pidfd >= 0)
			close(z.children[i].pidfd);
	z.n = 0;
}

/* Forks by CPython's own protocol, so that what registered with os.register_at_fork is called. True in the child. */
static bool fork_worker(struct hg_order *order, struct hg_birth *birth)
{
	uint32_t worker = order->control.worker;
	if (order->n_fds != 2 || !grow()) {
		hg_log("cannot fork worker %u: %s", worker + 1,
			order->n_fds != 2 ? "descriptors are missing" : "no memory");
		report_exit(worker, 0, 0xff00);
		return false;
	}
	py.PyOS_BeforeFork();
	pid_t pid = fork();
	if (pid == 0) {
		py.PyOS_AfterFork_Child();
		be_born(order, birth);
		return true;
	}
	int error = errno;
	py.PyOS_AfterFork_Parent();
	if (pid < 0) {
		hg_log("cannot fork worker %u: %s", worker + 1, strerror(error));
		report_exit(worker, 0, 0xff00);
		return false;
	}
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	z.children[z.n++] = (struct child){.pid = pid, .worker = worker, .pidfd = pidfd};
	hg_control_send(z.control, HG_CTL_FORKED, worker, (uint64_t)pid, NULL);
	return false;
}

/* Waits for the master or a child, without the GIL. */
static void wait_for_news(void)
{
	int timeout = -1;
	z.fds[0] = (struct pollfd){.fd = z.control, .events = POLLIN};
	for (size_t i = 0; i < z.n; i++) {
		z.fds[i + 1] = (struct pollfd){.fd = z.children[i].pidfd, .events = POLLIN};
		if (z.children[i].pidfd < 0)
			timeout = POLL_MS;
	}
	PyThreadState *state = py.PyEval_SaveThread();
	poll(z.fds, z.n + 1, timeout);
	py.PyEval_RestoreThread(state);
	if (py.PyErr_CheckSignals() < 0)
		py.PyErr_WriteUnraisable(NULL);
}

int hg_zygote_run(int control, struct hg_birth *birth)
{
	z.control = control;
	if (!grow())
		return HG_ZYGOTE_STOP;
	for (;;) {
		wait_for_news();
		reap();
		struct hg_order order;
		int got = hg_control_receive(control, &order);
		if (got < 0)
			return HG_ZYGOTE_STOP;
		if (got == 0)
			continue;
		switch (order.control.type) {
		case HG_CTL_FORK:
			if (fork_worker(&order, birth))
				return 0;
			break;
		case HG_CTL_STOP:
			hg_order_close(&order);
			return HG_ZYGOTE_STOP;
		default:
			hg_log("ignored control message %u", order.control.type);
		}
		hg_order_close(&order);
	}
}
