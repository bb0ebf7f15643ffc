/* The overseer: the native thread of a worker that listens to the master and to the fronts. It never takes the GIL, so
 * it works while Python is busy or stuck. */
#ifndef HG_OVERSEER_H
#define HG_OVERSEER_H

/* Starts it. Returns 0 or an errno. It ends with the process. */
int hg_overseer_start(void);

#endif
