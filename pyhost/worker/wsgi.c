#include "wsgi.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "scoreboard.h"
#include "worker.h"

/* Chunks of a list are joined and sent at once up to this size; a larger body goes chunk by chunk. */
#define JOIN_MAX (1024 * 1024)

static struct {
	PyObject *close, *bytes_io, *empty, *join;
} names;

int hg_wsgi_init(void)
{
	PyObject *io = py.PyImport_ImportModule("io");
	names.bytes_io = io ? py.PyObject_GetAttrString(io, "BytesIO") : NULL;
	names.close = py.PyUnicode_InternFromString("close");
	names.join = py.PyUnicode_InternFromString("join");
	names.empty = py.PyBytes_FromStringAndSize("", 0);
	py.Py_DecRef(io);
	return names.bytes_io && names.close && names.join && names.empty ? 0 : -1;
}

/* ---- start_response and write ---------------------------------------------- */

/* Both are bound to an int: the serial of their request, with the thread's index above. So one that the application
 * keeps for longer than its request can do no harm. */
#define SERIAL_BITS 48

static uint64_t serial_of(const struct hg_thread *t)
{
	return (uint64_t)t->index << SERIAL_BITS | t->last_serial;
}

/* Returns the thread that runs the request of self, or NULL with RuntimeError if that is over. */
static struct hg_thread *thread_of(PyObject *self, const char *name)
{
	uint64_t serial = py.PyLong_AsUnsignedLongLong(self);
	struct hg_thread *t = &hg_worker.thread[serial >> SERIAL_BITS];
	if (t->serial && serial == serial_of(t))
		return t;
	py.PyErr_Format(HG_PY_EXC(RuntimeError), "%s was called after its request had ended", name);
	return NULL;
}

static PyObject *none(void)
{
	py.Py_IncRef(py.None);
	return py.None;
}

static PyObject *write_body(PyObject *self, PyObject *data)
{
	char *p;
	Py_ssize_t n;
	struct hg_thread *t = thread_of(self, "write");
	if (!t || py.PyBytes_AsStringAndSize(data, &p, &n) < 0)
		return NULL;
	if (hg_response_body(t, p, (size_t)n, false) == HG_RAISED)
		return NULL;
	if (t->response.broken) {
		py.PyErr_SetString(HG_PY_EXC(ConnectionAbortedError), "the client has gone");
		return NULL;
	}
	return none();
}

static struct hg_py_method_def write_def = {"write", write_body, HG_PY_ONE_ARG, "Sends body bytes at once (PEP 3333)."};

/* What start_response was called with; borrowed. */
struct start_args {
	PyObject *status, *headers, *exc_info;
};

static int take_keyword(struct start_args *a, PyObject *name, PyObject *value)
{
	const struct {
		const char *name;
		PyObject **place;
	} places[] = {{"exc_info", &a->exc_info}, {"status", &a->status}, {"headers", &a->headers},
	        {"response_headers", &a->headers}};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (py.PyUnicode_CompareWithASCIIString(name, places[i].name) || *places[i].place)
			continue;
		*places[i].place = value;
		return 0;
	}
	py.PyErr_Format(HG_PY_EXC(TypeError), "start_response got an unexpected argument %R", name);
	return -1;
}

static int take_args(struct start_args *a, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
	*a = (struct start_args){n > 0 ? args[0] : NULL, n > 1 ? args[1] : NULL, n > 2 ? args[2] : NULL};
	Py_ssize_t keywords = kwnames ? py.PyTuple_Size(kwnames) : 0;
	for (Py_ssize_t i = 0; i < keywords; i++)
		if (take_keyword(a, py.PyTuple_GetItem(kwnames, i), args[n + i]) < 0)
			return -1;
	if (n > 3 || !a->status || !a->headers) {
		py.PyErr_SetString(
		        HG_PY_EXC(TypeError), "start_response takes status, headers and, optionally, exc_info");
		return -1;
	}
	if (a->exc_info == py.None)
		a->exc_info = NULL;
	return 0;
}

/* Raises the exception that an exc_info tuple holds. */
static void raise_again(PyObject *exc_info)
{
	PyObject *part[3];
	for (int i = 0; i < 3; i++)
		if (!(part[i] = py.PyTuple_GetItem(exc_info, i)))
			return;
	for (int i = 0; i < 3; i++)
		py.Py_IncRef(part[i]);
	if (part[2] == py.None) {
		py.Py_DecRef(part[2]);
		part[2] = NULL;
	}
	py.PyErr_Restore(part[0], part[1], part[2]);
}

static int check_exc_info(PyObject *exc_info)
{
	if (!exc_info || py.PyTuple_Size(exc_info) == 3)
		return 0;
	py.PyErr_Clear();
	py.PyErr_SetString(HG_PY_EXC(TypeError), "exc_info must be a tuple of three, as from sys.exc_info()");
	return -1;
}

static PyObject *start_response(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
	struct start_args a;
	struct hg_thread *t = thread_of(self, "start_response");
	if (!t || take_args(&a, args, n, kwnames) < 0 || check_exc_info(a.exc_info) < 0)
		return NULL;
	struct hg_response *r = &t->response;
	if (a.exc_info && r->head_sent) {
		raise_again(a.exc_info);
		return NULL;
	}
	if (!a.exc_info && r->started) {
		py.PyErr_SetString(HG_PY_EXC(AssertionError), "start_response was called twice without exc_info");
		return NULL;
	}
	r->started = false;
	if (hg_head_set(&r->head, a.status, a.headers) < 0)
		return NULL;
	r->started = true;
	return py.PyCFunction_NewEx(&write_def, self, NULL);
}

static struct hg_py_method_def start_response_def = {
        "start_response", start_response, HG_PY_FAST_KEYWORDS, "Begins the response (PEP 3333)."};

/* ---- the body ----------------------------------------------------------------- */

static enum hg_step send_chunk(struct hg_thread *t, PyObject *chunk, bool last)
{
	char *p;
	Py_ssize_t n;
	if (py.PyBytes_AsStringAndSize(chunk, &p, &n) == 0)
		return hg_response_body(t, p, (size_t)n, last);
	PyObject *type = py.PyObject_Type(chunk);
	py.PyErr_Clear();
	py.PyErr_Format(HG_PY_EXC(TypeError), "the application must yield bytes, not %R", type);
	py.Py_DecRef(type);
	return HG_RAISED;
}

/* A list or tuple. */
struct sequence {
	PyObject *o;
	Py_ssize_t n;
	PyObject *(*item)(PyObject *o, Py_ssize_t i);
};

/* Adds up the chunks; -1 if one is not bytes. */
static Py_ssize_t total_size(const struct sequence *s)
{
	Py_ssize_t total = 0;
	for (Py_ssize_t i = 0; i < s->n; i++) {
		char *p;
		Py_ssize_t n;
		if (py.PyBytes_AsStringAndSize(s->item(s->o, i), &p, &n) < 0) {
			py.PyErr_Clear();
			return -1;
		}
		total += n;
	}
	return total;
}

static enum hg_step send_joined(struct hg_thread *t, PyObject *o)
{
	PyObject *body = py.PyObject_CallMethodObjArgs(names.empty, names.join, o, NULL);
	enum hg_step step = body ? send_chunk(t, body, true) : HG_RAISED;
	py.Py_DecRef(body);
	return step;
}

/* The whole body is there: it is sent at once, with its end. */
static enum hg_step send_sequence(struct hg_thread *t, struct sequence *s)
{
	if (s->n == 0)
		return hg_response_body(t, NULL, 0, true);
	if (s->n > 1) {
		Py_ssize_t total = total_size(s);
		if (total >= 0 && total <= JOIN_MAX)
			return send_joined(t, s->o);
	}
	/* The application may change a list while we wait without the GIL. */
	for (Py_ssize_t i = 0; i < s->n; i++) {
		PyObject *chunk = s->item(s->o, i);
		if (!chunk)
			return HG_RAISED;
		py.Py_IncRef(chunk);
		enum hg_step step = send_chunk(t, chunk, i == s->n - 1);
		py.Py_DecRef(chunk);
		if (step != HG_GO_ON)
			return step;
	}
	return HG_GO_ON;
}

/* Whether the iterable says that it has one chunk only: its size is then the Content-Length (PEP 3333). */
static bool has_one_chunk(struct hg_thread *t, PyObject *result)
{
	if (hg_py_is(result, py.PyGen_Type) || (t->response.started && t->response.head.content_length >= 0))
		return false;
	Py_ssize_t n = py.PyObject_Size(result);
	if (n < 0)
		py.PyErr_Clear();
	return n == 1;
}

/* Each chunk is sent before the next is asked for. */
static enum hg_step send_iterable(struct hg_thread *t, PyObject *result)
{
	bool only = has_one_chunk(t, result);
	PyObject *iterator = py.PyObject_GetIter(result), *chunk;
	enum hg_step step = iterator ? HG_GO_ON : HG_RAISED;
	while (step == HG_GO_ON && !t->response.broken && (chunk = py.PyIter_Next(iterator))) {
		step = send_chunk(t, chunk, only);
		py.Py_DecRef(chunk);
	}
	py.Py_DecRef(iterator);
	if (step == HG_GO_ON && py.PyErr_Occurred())
		step = HG_RAISED;
	if (step == HG_GO_ON)
		step = hg_response_body(t, NULL, 0, true);
	return step;
}

/* The answer of the bootstrap about a file wrapper: (descriptor, offset, count). */
static enum hg_step send_region(struct hg_thread *t, PyObject *region)
{
	struct hg_response *r = &t->response;
	long fd = py.PyLong_AsLong(py.PyTuple_GetItem(region, 0));
	long long offset = py.PyLong_AsLongLong(py.PyTuple_GetItem(region, 1));
	long long count = py.PyLong_AsLongLong(py.PyTuple_GetItem(region, 2));
	if (py.PyErr_Occurred())
		return HG_RAISED;
	if (r->head.content_length < 0) {
		hg_head_add_length(&r->head, (uint64_t)count);
		r->head.content_length = count;
	}
	if (count > r->head.content_length)
		count = r->head.content_length;
	if (count < r->head.content_length || count == 0)
		return HG_GO_ON; /* as any iterable, which notices what is missing */
	return hg_response_file(t, (int)fd, (uint64_t)offset, (uint64_t)count);
}

/* A file wrapper over a regular file is sent as descriptor, if it is the whole body; else it is an iterable. */
static enum hg_step send_file(struct hg_thread *t, PyObject *result)
{
	struct hg_response *r = &t->response;
	bool bare = r->started && !r->head_sent && !r->finished && !r->only_head && r->head.status != 204 &&
	            r->head.status != 304 && !atomic_load(&t->cancelled);
	if (!bare)
		return send_iterable(t, result);
	PyObject *region = py.PyObject_CallFunctionObjArgs(hg_worker.hooks.file_region, result, NULL);
	if (!region)
		return HG_RAISED;
	enum hg_step step = region == py.None ? HG_GO_ON : send_region(t, region);
	py.Py_DecRef(region);
	if (step == HG_GO_ON && !r->finished)
		return send_iterable(t, result);
	return step;
}

static enum hg_step send_body(struct hg_thread *t, PyObject *result)
{
	PyObject *type = py.PyObject_Type(result);
	py.Py_DecRef(type); /* result holds it */
	if (type == py.PyList_Type) {
		struct sequence s = {result, py.PyList_Size(result), py.PyList_GetItem};
		return send_sequence(t, &s);
	}
	if (type == py.PyTuple_Type) {
		struct sequence s = {result, py.PyTuple_Size(result), py.PyTuple_GetItem};
		return send_sequence(t, &s);
	}
	if (type == hg_worker.hooks.file_wrapper)
		return send_file(t, result);
	return send_iterable(t, result);
}

/* ---- the request ------------------------------------------------------------------ */

/* Logs the exception that is set, and clears it. One about a client that has gone is nobody's fault. */
static void report(struct hg_thread *t, const char *what)
{
	PyObject *type = NULL, *value = NULL, *traceback = NULL;
	if (t->response.broken && py.PyErr_ExceptionMatches(HG_PY_EXC(ConnectionAbortedError))) {
		py.PyErr_Clear();
		return;
	}
	py.PyErr_Fetch(&type, &value, &traceback);
	py.PyErr_NormalizeException(&type, &value, &traceback);
	PyObject *text = py.PyUnicode_FromString(what);
	PyObject *method = py.PyUnicode_DecodeLatin1(t->line.method, (Py_ssize_t)t->line.method_len, NULL);
	PyObject *uri = py.PyUnicode_DecodeLatin1(t->line.uri, (Py_ssize_t)t->line.uri_len, NULL);
	PyObject *id = py.PyLong_FromUnsignedLongLong(t->message.header.id);
	PyObject *done = NULL;
	if (text && method && uri && id)
		done = py.PyObject_CallFunctionObjArgs(hg_worker.hooks.report, type, value ? value : py.None,
		        traceback ? traceback : py.None, text, method, uri, id, NULL);
	if (!done)
		py.PyErr_WriteUnraisable(hg_worker.hooks.application);
	PyObject *owned[] = {type, value, traceback, text, method, uri, id, done};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
		py.Py_DecRef(owned[i]);
}

static void fail(struct hg_thread *t, const char *what)
{
	hg_response_abort(t);
	report(t, what);
}

/* Calls result.close() if it has one. */
static void close_result(struct hg_thread *t, PyObject *result)
{
	PyObject *close = py.PyObject_GetAttr(result, names.close);
	if (!close && py.PyErr_ExceptionMatches(HG_PY_EXC(AttributeError))) {
		py.PyErr_Clear();
		return;
	}
	PyObject *done = close ? py.PyObject_CallObject(close, NULL) : NULL;
	if (!done)
		report(t, "exception in close()");
	py.Py_DecRef(done);
	py.Py_DecRef(close);
}

static void run_application(struct hg_thread *t, PyObject *environ, PyObject *start)
{
	PyObject *result = py.PyObject_CallFunctionObjArgs(hg_worker.hooks.application, environ, start, NULL);
	if (!result) {
		fail(t, "exception in the application");
		return;
	}
	if (send_body(t, result) == HG_RAISED)
		fail(t, "exception in the response of the application");
	if (!hg_py_is(result, py.PyList_Type) && !hg_py_is(result, py.PyTuple_Type))
		close_result(t, result);
	py.Py_DecRef(result);
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
	PyObject *input = body ? py.PyObject_CallFunctionObjArgs(names.bytes_io, body, NULL) : NULL;
	py.Py_DecRef(body);
	close(fd);
	return input;
}

/* Returns wsgi.input, a new reference, or NULL with an exception. Takes body_fd over. */
static PyObject *open_input(const struct hg_message *m, int body_fd)
{
	if (body_fd >= 0 && m->header.flags & HG_REQUEST_BODY_PIPE)
		return open_pipe(m->header.body_len, body_fd);
	if (body_fd < 0) {
		if (m->body_len == 0)
			return py.PyObject_CallObject(names.bytes_io, NULL);
		PyObject *body = py.PyBytes_FromStringAndSize((const char *)m->body, (Py_ssize_t)m->body_len);
		PyObject *input = body ? py.PyObject_CallFunctionObjArgs(names.bytes_io, body, NULL) : NULL;
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

/* Closes the file of the request's body, which the application may still hold. */
static void close_input(struct hg_thread *t, PyObject *input)
{
	PyObject *done = py.PyObject_CallMethodObjArgs(input, names.close, NULL);
	if (!done)
		report(t, "exception while closing wsgi.input");
	py.Py_DecRef(done);
}

static PyObject *new_start_response(struct hg_thread *t)
{
	t->serial = ++t->last_serial;
	PyObject *serial = py.PyLong_FromUnsignedLongLong(serial_of(t));
	PyObject *start = serial ? py.PyCFunction_NewEx(&start_response_def, serial, NULL) : NULL;
	py.Py_DecRef(serial);
	return start;
}

/* Returns the environ, a new reference, with *input, another one, in it. On failure it has told the front and the log,
 * and returns NULL. Takes body_fd over. */
static PyObject *make_environ(struct hg_thread *t, int body_fd, PyObject **input)
{
	const char *error = NULL;
	PyObject *environ = hg_environ_build(t->environ, &t->message, &t->line, &error);
	if (!environ && body_fd >= 0)
		close(body_fd);
	*input = environ ? open_input(&t->message, body_fd) : NULL;
	if (*input && hg_environ_set_input(t->environ, environ, *input) == 0)
		return environ;
	if (error) {
		hg_log("dropped a queue message: %s", error);
		hg_response_abort(t);
	} else {
		fail(t, "cannot make the environ");
	}
	py.Py_DecRef(environ);
	return NULL;
}

void hg_wsgi_run(struct hg_thread *t, int body_fd)
{
	PyObject *input;
	hg_response_begin(&t->response);
	PyObject *environ = make_environ(t, body_fd, &input);
	PyObject *start = environ ? new_start_response(t) : NULL;
	if (start) {
		t->response.only_head = t->line.method_len == 4 && !memcmp(t->line.method, "HEAD", 4);
		run_application(t, environ, start);
	} else if (environ) {
		fail(t, "cannot make start_response");
	}
	t->serial = 0;
	py.Py_DecRef(start);
	py.Py_DecRef(environ);
	if (input && body_fd >= 0)
		close_input(t, input);
	py.Py_DecRef(input);
}
