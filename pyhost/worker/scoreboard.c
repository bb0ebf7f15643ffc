#include "scoreboard.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct hg_slot *hg_board_map(int fd, uint32_t number, uint32_t *threads, uint32_t *processes)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_size < HG_SLOT_SIZE) {
		errno = EPROTO;
		return NULL;
	}
	void *mem = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return NULL;
	struct hg_board *board = mem;
	uint64_t slots = (uint64_t)board->processes * board->threads;
	if (board->magic != HG_SCOREBOARD_MAGIC || board->slot_size != HG_SLOT_SIZE || board->threads < 1 ||
		number >= board->processes || (uint64_t)st.st_size < HG_SLOT_SIZE * (1 + slots)) {
		munmap(mem, (size_t)st.st_size);
		errno = EPROTO;
		return NULL;
	}
	*threads = board->threads;
	*processes = board->processes;
	return (struct hg_slot *)((char *)mem + HG_SLOT_SIZE) + (size_t)number * board->threads;
}
