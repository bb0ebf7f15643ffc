#include "title.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The memory in which execve put the arguments and, right behind, the environment. */
static char *area;
static size_t area_size;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Copies the strings of a list one by one and returns the end of the stretch of memory they filled without a gap
 * from `end` on. */
static char *move_strings(char **list, char *end)
{
	for (; *list; list++) {
		char *old = *list;
		char *copy = strdup(old);
		if (!copy)
			return end; /* the rest stays where it is, behind the area */
		if (old == end)
			end = old + strlen(old) + 1;
		*list = copy;
	}
	return end;
}

void hg_title_init(int argc, char **argv, char **envp)
{
	if (argc < 1)
		return;
	char *start = argv[0];
	char *end = move_strings(argv, start);
	end = move_strings(envp, end);
	area = start;
	area_size = (size_t)(end - start);
}

static void set_name(const char *name)
{
	if (syscall(SYS_gettid) == getpid()) {
		prctl(PR_SET_NAME, name);
		return;
	}
	/* From another thread only this file names the process. Best effort: it may belong to root. */
	int fd = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, name, strlen(name)) < 0) {
		/* the old name stays */
	}
	close(fd);
}

void hg_title_set(const char *title, const char *name)
{
	pthread_mutex_lock(&lock);
	if (area_size > 1) {
		size_t n = strlen(title);
		if (n > area_size - 1)
			n = area_size - 1;
		memcpy(area, title, n);
		memset(area + n, 0, area_size - n);
	}
	set_name(name);
	pthread_mutex_unlock(&lock);
}
