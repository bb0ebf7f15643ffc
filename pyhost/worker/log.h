/* One line to the log pipe (descriptor 2), in one write, so that lines of several threads and processes do not mix.
 * No GIL needed; safe from any thread. */
#ifndef HG_LOG_H
#define HG_LOG_H

/* Sets what lines begin with, "hognose: app NAME worker 2: ". Copies it. Call before there are threads. */
void hg_log_name(const char *name);

void hg_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
