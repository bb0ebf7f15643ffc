#include "input.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "worker.h"

static PyObject *bytes_io; /* the class */

int hg_input_init(void)
{
	PyObject *io = py.PyImport_ImportModule("io");
	bytes_io = io ? py.PyObject_GetAttrString(io, "BytesIO") : NULL;
	py.Py_DecRef(io);
	return bytes_io ? 0 : -1;
}

/* Reads n bytes, which a pipe holds already, so that nothing waits here. */
static int drain(int fd, char *p, size_t n)
{
	while (n) {
		ssize_t got = read(fd, p, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

/* Returns the bytes of a request body in a pipe, which must hold all of it: new reference, or NULL with an exception. */
static PyObject *read_pipe(uint64_t n, int fd)
{
	int held;
	char *p;
	Py_ssize_t size;
	if (ioctl(fd, FIONREAD, &held) < 0 || held < 0 || (uint64_t)held != n) {
		py.PyErr_SetString(HG_PY_EXC(OSError), "the request body has another size than its message says");
		return NULL;
	}
	PyObject *body = py.PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
	if (!body || py.PyBytes_AsStringAndSize(body, &p, &size) < 0 || drain(fd, p, n) == 0)
		return body;
	py.PyErr_SetFromErrno(HG_PY_EXC(OSError));
	py.Py_DecRef(body);
	return NULL;
}

/* BytesIO shares the bytes, and read() gives them to the application as they are: nothing is copied but out of the pipe.
 * Takes fd over. */
static PyObject *open_pipe(uint64_t n, int fd)
{
	PyObject *body = read_pipe(n, fd);
	PyObject *input = body ? py.PyObject_CallFunctionObjArgs(bytes_io, body, NULL) : NULL;
	py.Py_DecRef(body);
	close(fd);
	return input;
}

PyObject *hg_input_open(const struct hg_message *m, int body_fd)
{
	if (body_fd >= 0 && m->header.flags & HG_REQUEST_BODY_PIPE)
		return open_pipe(m->header.body_len, body_fd);
	if (body_fd < 0) {
		if (m->body_len == 0)
			return py.PyObject_CallObject(bytes_io, NULL);
		PyObject *body = py.PyBytes_FromStringAndSize((const char *)m->body, (Py_ssize_t)m->body_len);
		PyObject *input = body ? py.PyObject_CallFunctionObjArgs(bytes_io, body, NULL) : NULL;
		py.Py_DecRef(body);
		return input;
	}
	PyObject *fd = py.PyLong_FromLong(body_fd);
	PyObject *n = py.PyLong_FromUnsignedLongLong(m->header.body_len);
	PyObject *input = py.PyObject_CallFunctionObjArgs(hg_worker.hooks.open_body, fd, n, NULL);
	py.Py_DecRef(fd);
	py.Py_DecRef(n);
	return input;
}
