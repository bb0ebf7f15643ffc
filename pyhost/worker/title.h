/* What ps and top show of this process. No GIL needed. */
#ifndef HG_TITLE_H
#define HG_TITLE_H

/* Moves the arguments and the environment elsewhere, so that the memory the kernel shows as command line can be
 * overwritten. Called once, before anybody holds a pointer into them; the copies live as long as the process. */
void hg_title_init(int argc, char **argv, char **envp);

/* Sets the title, as ps shows it, and the short name of the process, as top shows it (15 bytes). Copies both; safe from
 * any thread. */
void hg_title_set(const char *title, const char *name);

#endif
