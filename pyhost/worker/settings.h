/* What the master tells a zygote when it starts it: pairs of key and value in a memfd. No GIL needed. */
#ifndef HG_SETTINGS_H
#define HG_SETTINGS_H

#include <stddef.h>

/* All strings live as long as the process. */
struct hg_settings {
	const char *app;        /* its name in the configuration */
	const char *libpython;  /* path of the shared library */
	const char *executable; /* the interpreter whose environment is used: the venv's bin/python */
	const char *bootstrap;  /* Python source that imports and serves the application */
	const char *settings;   /* JSON for the bootstrap */
};

/* Reads the settings from descriptor fd. Returns 0, or -1 with a text for people in error. */
int hg_settings_read(int fd, struct hg_settings *s, char *error, size_t size);

#endif
