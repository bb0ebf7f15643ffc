/* The private wire between the front, the master and the Python processes: the C
 * half of package internal/wire, whose tests read the constants of this file and
 * compare them with Go's. All integers are little-endian; every process
 * runs on one machine from one executable, so there are no versions to negotiate.
 *
 * Three channels, none of which a client can reach:
 *
 *  queue     SOCK_SEQPACKET, one per application generation. Each message is one request: struct hg_request,
 *            the uwsgi packet, then the body, unless the body comes as a descriptor (SCM_RIGHTS).
 *            Every worker thread receives from it.
 *  stream    SOCK_STREAM, one per pair of worker process and front. Worker to front: struct hg_frame and its
 *            payload, frames of different requests may interleave. Front to worker: struct hg_note.
 *  control   SOCK_SEQPACKET, master and zygote, master and worker: struct hg_control and its text.
 *
 * The scoreboard is memory shared by master, front and workers: see struct hg_slot. */
#ifndef HG_WIRE_H
#define HG_WIRE_H

#include <assert.h>
#include <stdint.h>

/* ---- queue: front to worker ------------------------------------------------ */

#define HG_REQUEST_MAGIC 0x31514748 /* "HGQ1" */
#define HG_MAX_VARS 65539           /* a whole uwsgi packet, header included */
#define HG_MAX_INLINE_BODY 65536    /* a larger body comes as a descriptor */

#define HG_REQUEST_BODY_FD 1   /* the body is a descriptor, read from offset 0 */
#define HG_REQUEST_BODY_PIPE 2 /* with BODY_FD: it is a pipe that holds the whole body */

struct hg_request {
	uint32_t magic;
	uint32_t front;    /* generation of the front that sent it: selects the stream of the answer */
	uint64_t id;       /* unique within that front */
	uint64_t queued;   /* CLOCK_MONOTONIC nanoseconds at which the front took the request */
	uint64_t body_len; /* bytes of the body, inline or in the descriptor */
	uint32_t vars_len; /* bytes of the uwsgi packet that follows */
	uint32_t flags;    /* HG_REQUEST_* */
};
static_assert(sizeof(struct hg_request) == 40, "struct hg_request is on the wire");

/* ---- stream: worker to front ---------------------------------------------- */

#define HG_MAX_HEAD 65536  /* bytes of a response head */
#define HG_MAX_FRAME 65536 /* bytes of body in one frame */

#define HG_FRAME_HEAD 1  /* the payload begins with a response head of head_len bytes */
#define HG_FRAME_FIN 2   /* the response is complete with this frame */
#define HG_FRAME_FILE 4  /* after the head: struct hg_file, and a descriptor came with the frame (SCM_RIGHTS) */
#define HG_FRAME_ABORT 8 /* the application failed; with HEAD unset before any head: answer 500, later: cut the response short */

/* A frame: this header, head_len bytes of head, then body bytes (or struct hg_file).
 *
 * The head is: uint16 status, uint16 length and the reason phrase, uint16 number of fields, then per field
 * uint16 length and name, uint16 length and value. */
struct hg_frame {
	uint32_t length; /* bytes that follow this header */
	uint32_t flags;  /* HG_FRAME_* */
	uint64_t id;     /* of the request that is answered */
	uint32_t head_len;
	uint32_t reserved; /* 0 */
};
static_assert(sizeof(struct hg_frame) == 24, "struct hg_frame is on the wire");

struct hg_file {
	uint64_t offset;
	uint64_t count;
};
static_assert(sizeof(struct hg_file) == 16, "struct hg_file is on the wire");

/* ---- stream: front to worker ---------------------------------------------- */

/* Body bytes of one response that may be under way before the front has granted more. The head does not count. */
#define HG_WINDOW 262144

#define HG_NOTE_WINDOW 1 /* count more body bytes may be sent for this response */
#define HG_NOTE_CANCEL 2 /* nobody waits for this response any more: stop making it */

struct hg_note {
	uint32_t type; /* HG_NOTE_* */
	uint32_t count;
	uint64_t id;
};
static_assert(sizeof(struct hg_note) == 16, "struct hg_note is on the wire");

/* ---- control ---------------------------------------------------------------- */

#define HG_MAX_CONTROL_TEXT 32768

/* master to zygote */
#define HG_CTL_FORK 1 /* fork worker number `worker`; descriptors: its control socket, its log pipe */
/* zygote to master */
#define HG_CTL_IMPORTED 2 /* the application is imported, forks may be ordered */
#define HG_CTL_FORKED 3   /* worker `worker` runs, arg = its pid */
#define HG_CTL_EXITED 4   /* worker `worker` with pid (arg & 0xffffffff) ended, wait status arg >> 32 */
#define HG_CTL_FAILED 5   /* the application cannot be imported; text says why (the traceback is in the log). The zygote exits next. */
/* master to worker */
#define HG_CTL_FRONT 6 /* answer requests of front `arg` on this stream; one descriptor */
#define HG_CTL_DROP 7  /* front `arg` is gone: close its stream */
/* master to zygote and to worker */
#define HG_CTL_STOP 8 /* finish what runs, then exit 0. A zygote stops at once: workers are not its to stop. */
/* worker to master */
#define HG_CTL_READY 9 /* the worker receives requests */

struct hg_control {
	uint32_t type; /* HG_CTL_* */
	uint32_t worker;
	uint64_t arg;
};
static_assert(sizeof(struct hg_control) == 16, "struct hg_control is on the wire");

/* Descriptors of a zygote when it starts. 0 is /dev/null; 1 and 2 are its log pipe. */
#define HG_FD_CONTROL 3
#define HG_FD_SETTINGS 4 /* memfd: struct pairs of uint32 length and bytes: key, value, key, value, ... */
#define HG_FD_QUEUE 5
#define HG_FD_SCOREBOARD 6

/* ---- scoreboard --------------------------------------------------------------- */

#define HG_SCOREBOARD_MAGIC 0x31534748 /* "HGS1" */
#define HG_SLOT_SIZE 128

#define HG_SLOT_EMPTY 0   /* no thread */
#define HG_SLOT_IDLE 1    /* waits for a request */
#define HG_SLOT_BUSY 2    /* works on `id` */
#define HG_SLOT_CLOSING 3 /* `id` is answered, the application's close() still runs */

/* The board begins with this header, padded to HG_SLOT_SIZE; slot (worker * threads + thread) follows. */
struct hg_board {
	uint32_t magic;
	uint32_t processes;
	uint32_t threads;
	uint32_t slot_size;
};

/* One slot per worker thread, written by that thread alone, read by anyone without a lock. Fields that belong
 * together are written before `state`, which is stored with release order. A slot keeps its last
 * values when its process dies. */
struct hg_slot {
	uint32_t pid;
	uint32_t state;       /* HG_SLOT_* */
	uint64_t id;          /* request, valid unless state is EMPTY */
	uint64_t start;       /* CLOCK_MONOTONIC nanoseconds at which `id` was received */
	uint64_t requests;    /* served so far */
	uint64_t tx;          /* body bytes sent so far */
	uint64_t busy;        /* nanoseconds spent on requests so far */
	uint64_t queue_wait;  /* nanoseconds that served requests waited before they were received, summed */
	uint32_t front;       /* generation of the front that `id` belongs to */
	uint32_t tid;         /* kernel thread id */
	unsigned char pad[HG_SLOT_SIZE - 64];
};
static_assert(sizeof(struct hg_slot) == HG_SLOT_SIZE, "struct hg_slot is shared memory");

#endif
