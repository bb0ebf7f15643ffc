#include "settings.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Cuts one length-prefixed string off *p and returns a copy with a NUL behind it, or NULL. */
static char *cut(const char **p, const char *end)
{
	uint32_t n;
	if ((size_t)(end - *p) < sizeof n)
		return NULL;
	memcpy(&n, *p, sizeof n);
	*p += sizeof n;
	if ((size_t)(end - *p) < n || memchr(*p, 0, n))
		return NULL;
	char *s = strndup(*p, n);
	*p += n;
	return s;
}

static const char **field(struct hg_settings *s, const char *key)
{
	const struct {
		const char *key;
		const char **value;
	} fields[] = {
		{"app", &s->app},
		{"libpython", &s->libpython},
		{"executable", &s->executable},
		{"bootstrap", &s->bootstrap},
		{"settings", &s->settings},
	};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (!strcmp(fields[i].key, key))
			return fields[i].value;
	return NULL;
}

static int parse(const char *p, const char *end, struct hg_settings *s, char *error, size_t size)
{
	while (p < end) {
		char *key = cut(&p, end);
		char *value = key ? cut(&p, end) : NULL;
		const char **slot = value ? field(s, key) : NULL;
		if (!slot) {
			snprintf(error, size,
				value ? "settings have the unknown key \"%s\"" : "settings are cut off%.0s",
				key ? key : "");
			free(key);
			free(value);
			return -1;
		}
		free(key);
		*slot = value;
	}
	if (!s->app || !s->libpython || !s->executable || !s->bootstrap || !s->settings) {
		snprintf(error, size, "settings lack one of app, libpython, executable, bootstrap, settings");
		return -1;
	}
	return 0;
}

int hg_settings_read(int fd, struct hg_settings *s, char *error, size_t size)
{
	memset(s, 0, sizeof *s);
	struct stat st;
	char *data = NULL;
	int rc = -1;

	if (fstat(fd, &st) < 0 || !(data = malloc((size_t)st.st_size + 1)) ||
		pread(fd, data, (size_t)st.st_size, 0) != st.st_size)
		snprintf(error, size, "cannot read the settings from descriptor %d: %s", fd, strerror(errno));
	else
		rc = parse(data, data + st.st_size, s, error, size);
	free(data);
	return rc;
}
