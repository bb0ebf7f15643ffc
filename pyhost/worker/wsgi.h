/* One request through a WSGI application: PEP 3333. */
#ifndef HG_WSGI_H
#define HG_WSGI_H

struct hg_thread;

/* Answers the request in t->message, whose body is in descriptor body_fd (taken over) unless that is -1. The stream of
 * its front is t->stream. Never leaves an exception. GIL held; released while the application or a wait releases it. */
void hg_wsgi_run(struct hg_thread *t, int body_fd);

/* Makes the str objects that are used again and again. GIL held. Returns 0, or -1 with an exception. */
int hg_wsgi_init(void);

#endif
