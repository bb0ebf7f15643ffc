/* The slot of a thread in the scoreboard (struct hg_slot). A slot is written by its thread alone; others read it at any
 * time, so each store is atomic, and `state` is stored last. No GIL needed. */
#ifndef HG_SCOREBOARD_H
#define HG_SCOREBOARD_H

#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "wire.h"

/* Maps the scoreboard in descriptor fd. Returns its slots, or NULL with errno; EPROTO: it is not one for so many threads
 * or has no worker `number`. *processes is set to its number of workers. The mapping lasts as long as the process. */
struct hg_slot *hg_board_map(int fd, uint32_t number, uint32_t *threads, uint32_t *processes);

static inline uint64_t hg_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#define HG_SLOT_STORE(s, field, value) __atomic_store_n(&(s)->field, value, __ATOMIC_RELAXED)

static inline void hg_slot_state(struct hg_slot *s, uint32_t state)
{
	__atomic_store_n(&s->state, state, __ATOMIC_RELEASE);
}

static inline void hg_slot_open(struct hg_slot *s)
{
	HG_SLOT_STORE(s, pid, (uint32_t)getpid());
	HG_SLOT_STORE(s, tid, (uint32_t)syscall(SYS_gettid));
	hg_slot_state(s, HG_SLOT_IDLE);
}

/* The first thing that happens to a request that was received. */
static inline void hg_slot_begin(struct hg_slot *s, const struct hg_request *r)
{
	uint64_t now = hg_now();
	HG_SLOT_STORE(s, id, r->id);
	HG_SLOT_STORE(s, front, r->front);
	HG_SLOT_STORE(s, start, now);
	if (r->queued < now)
		HG_SLOT_STORE(s, queue_wait, s->queue_wait + (now - r->queued));
	hg_slot_state(s, HG_SLOT_BUSY);
}

static inline void hg_slot_sent(struct hg_slot *s, uint64_t n)
{
	HG_SLOT_STORE(s, tx, s->tx + n);
}

/* The request is answered. */
static inline void hg_slot_closing(struct hg_slot *s)
{
	hg_slot_state(s, HG_SLOT_CLOSING);
}

static inline void hg_slot_end(struct hg_slot *s)
{
	HG_SLOT_STORE(s, requests, s->requests + 1);
	HG_SLOT_STORE(s, busy, s->busy + (hg_now() - s->start));
	hg_slot_state(s, HG_SLOT_IDLE);
}

#endif
