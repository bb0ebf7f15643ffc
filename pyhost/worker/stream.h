/* The streams of this worker, one per front: response frames go out, notes come in.
 *
 * Ownership: the table holds one reference to each stream and every thread that answers on it another one; the last one
 * closes the descriptor. Streams are added and dropped, and notes are read, by the control thread alone.
 *
 * Locks: the table has its own; a stream's lock is held while one sendmsg call's worth of whole frames is
 * written, so frames are never torn. A thread waits for either only without the GIL, and never takes the GIL
 * while it holds one. */
#ifndef HG_STREAM_H
#define HG_STREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "wire.h"

struct hg_stream {
	int fd;
	uint32_t front;    /* generation */
	_Atomic bool dead; /* set once: the front has gone, nothing is written any more */
	_Atomic int refs;
	pthread_mutex_t lock;                       /* serialises writers */
	unsigned char note[sizeof(struct hg_note)]; /* the beginning of a note; control thread only */
	size_t note_len;
};

/* The most fronts that are served at a time: the running one and those that are being replaced. */
#define HG_STREAMS 32

/* Adds the stream fd of a front generation, in place of an older one of the same generation. Takes fd over.
 * No GIL; control thread. */
void hg_stream_add(uint32_t front, int fd);

/* Drops the stream of a front: who writes on it fails from now on. No GIL; control thread. */
void hg_stream_drop(uint32_t front);

/* Lists the streams, at most max of them, borrowed until the next add or drop. Control thread. */
int hg_stream_list(struct hg_stream **list, int max);

/* Reads the notes that have come on s and calls note for each. Returns false when the front has gone or has sent
 * junk. No GIL; control thread. */
bool hg_stream_notes(struct hg_stream *s, void (*note)(const struct hg_stream *s, const struct hg_note *n));

/* Returns the stream of a front, a new reference, or NULL. GIL held; it is released to wait for a stream that may be on
 * its way, up to a second, once for each front. */
struct hg_stream *hg_stream_find(uint32_t front);

/* Gives a reference back. */
void hg_stream_release(struct hg_stream *s);

enum hg_sent {
	HG_SENT,
	HG_SENT_DEAD,    /* the front has gone */
	HG_SENT_REFUSED, /* nothing was sent: errno says why; the stream is whole */
};

/* Sends whole frames, n pieces of memory (which it changes), with descriptor fd unless that is -1. GIL held; it is
 * released only if the socket is full or another thread is writing. */
enum hg_sent hg_stream_send(struct hg_stream *s, struct iovec *iov, int n, int fd);

/* Forgets all streams in a child that the application forked: closes its copies of the descriptors. GIL held. */
void hg_stream_forget(void);

#endif
