/* Messages on control sockets (SOCK_SEQPACKET): master and zygote, master and worker. No GIL needed. */
#ifndef HG_CONTROL_H
#define HG_CONTROL_H

#include <sys/types.h>

#include "wire.h"

/* The most descriptors that come with one message. */
#define HG_CONTROL_FDS 2

/* A message that was received. Its descriptors (n_fds of them, close-on-exec) belong to whoever received it. */
struct hg_order {
	struct hg_control control;
	int fds[HG_CONTROL_FDS];
	int n_fds;
};

/* Sends one message. text may be NULL; it is cut to HG_MAX_CONTROL_TEXT. Returns 0, or -1 with errno: the master
 * has died, which the receiving side notices and handles. */
int hg_control_send(int fd, uint32_t type, uint32_t worker, uint64_t arg, const char *text);

/* Receives one message without waiting. Returns 1 with a message, 0 without (nothing there, or junk that was
 * logged and dropped), -1 when the master has died. */
int hg_control_receive(int fd, struct hg_order *order);

/* Until hg_control_disarm, anything that comes on fd, and its end, makes the process exit with status 0 (by SIGIO): while
 * an application is imported, which can take for ever, a zygote cannot listen, but must not outlive its master
 * nor a stop order, and nothing else is sent to it yet. */
void hg_control_arm(int fd);
void hg_control_disarm(int fd);

/* Closes what order's receiver did not take: a taken descriptor is set to -1. */
void hg_order_close(struct hg_order *order);

/* Whether the other end of a socket has been closed; tells an empty message from an end. */
int hg_hung_up(int fd);

/* Takes the descriptors out of received control data, at most max; the rest is closed. Returns how many. */
struct msghdr;
int hg_take_fds(struct msghdr *msg, int *fds, int max);

#endif
