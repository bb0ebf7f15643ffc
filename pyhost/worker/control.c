#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

int hg_control_send(int fd, uint32_t type, uint32_t worker, uint64_t arg, const char *text)
{
	struct hg_control control = {.type = type, .worker = worker, .arg = arg};
	size_t n = text ? strnlen(text, HG_MAX_CONTROL_TEXT) : 0;
	struct iovec iov[] = {{&control, sizeof control}, {(void *)text, n}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n ? 2 : 1};
	for (;;) {
		if (sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

static void leave(int signal)
{
	(void)signal;
	_exit(0);
}

void hg_control_arm(int fd)
{
	signal(SIGIO, leave);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, 0) > 0)
		leave(0); /* it was there before */
}

void hg_control_disarm(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_ASYNC);
	signal(SIGIO, SIG_DFL);
}

int hg_take_fds(struct msghdr *msg, int *fds, int max)
{
	int n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (n < max)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

void hg_order_close(struct hg_order *order)
{
	for (int i = 0; i < order->n_fds; i++)
		if (order->fds[i] >= 0)
			close(order->fds[i]);
	order->n_fds = 0;
}

int hg_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL));
}

int hg_control_receive(int fd, struct hg_order *order)
{
	union {
		char data[CMSG_SPACE(sizeof(int) * 16)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&order->control, sizeof order->control};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.data, .msg_controllen = sizeof control.data};

	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	order->n_fds = hg_take_fds(&msg, order->fds, HG_CONTROL_FDS);
	if (n == 0 && order->n_fds == 0 && hg_hung_up(fd))
		return -1;
	if ((size_t)n < sizeof order->control || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		hg_log("dropped a control message of a wrong size (%zd bytes)", n);
		hg_order_close(order);
		return 0;
	}
	return 1;
}
