#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char prefix[128] = "hognose: ";

void hg_log_name(const char *name)
{
	snprintf(prefix, sizeof prefix, "%.120s: ", name);
}

void hg_log(const char *format, ...)
{
	char line[1024];
	size_t n = strlen(prefix);
	memcpy(line, prefix, n);

	va_list args;
	va_start(args, format);
	int m = vsnprintf(line + n, sizeof line - n - 1, format, args);
	va_end(args);
	if (m < 0)
		return;
	n += (size_t)m < sizeof line - n - 1 ? (size_t)m : sizeof line - n - 2;
	line[n++] = '\n';
	if (write(2, line, n) < 0)
		return; /* nobody reads the log: nothing that could be done about it */
}
