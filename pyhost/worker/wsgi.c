#include "wsgi.h"

#include <string.h>
#include <unistd.h>

#include "input.h"
#include "log.h"
#include "start.h"
#include "worker.h"

/* Chunks of a list are joined and sent at once up to this size; a larger body goes chunk by chunk. */
#define JOIN_MAX (1024 * 1024)

static struct {
	PyObject *close, *join; /* names */
	PyObject *empty;        /* b"" */
} used;

int hg_wsgi_init(void)
{
	used.close = py.PyUnicode_InternFromString("close");
	used.join = py.PyUnicode_InternFromString("join");
	used.empty = py.PyBytes_FromStringAndSize("", 0);
	return used.close && used.join && used.empty ? hg_input_init() : -1;
}

/* ---- the body ----------------------------------------------------------------- */

/* Gets the bytes of a chunk; -1 with TypeError if it is something else. */
static int get_bytes(PyObject *chunk, char **p, Py_ssize_t *n)
{
	if (py.PyBytes_AsStringAndSize(chunk, p, n) == 0)
		return 0;
	PyObject *type = py.PyObject_Type(chunk);
	py.PyErr_Clear();
	py.PyErr_Format(HG_PY_EXC(TypeError), "the application must yield bytes, not %R", type);
	py.Py_DecRef(type);
	return -1;
}

static enum hg_step send_chunk(struct hg_thread *t, PyObject *chunk, bool last)
{
	char *p;
	Py_ssize_t n;
	if (get_bytes(chunk, &p, &n) < 0)
		return HG_RAISED;
	return hg_response_body(t, p, (size_t)n, last);
}

/* A list or tuple. */
struct sequence {
	PyObject *o;
	Py_ssize_t n;
	PyObject *(*item)(PyObject *o, Py_ssize_t i);
};

/* Adds up the chunks; -1 with TypeError if one is not bytes. */
static Py_ssize_t total_size(const struct sequence *s)
{
	Py_ssize_t total = 0, n;
	char *p;
	for (Py_ssize_t i = 0; i < s->n; i++, total += n)
		if (get_bytes(s->item(s->o, i), &p, &n) < 0)
			return -1;
	return total;
}

static enum hg_step send_joined(struct hg_thread *t, PyObject *o)
{
	PyObject *body = py.PyObject_CallMethodObjArgs(used.empty, used.join, o, NULL);
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
		if (total < 0)
			return HG_RAISED;
		if (total <= JOIN_MAX)
			return send_joined(t, s->o);
		hg_response_length(&t->response, (uint64_t)total);
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
	hg_response_length(r, (uint64_t)count);
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
	PyObject *close = py.PyObject_GetAttr(result, used.close);
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

/* Closes the file of the request's body, which the application may still hold. */
static void close_input(struct hg_thread *t, PyObject *input)
{
	PyObject *done = py.PyObject_CallMethodObjArgs(input, used.close, NULL);
	if (!done)
		report(t, "exception while closing wsgi.input");
	py.Py_DecRef(done);
}

/* Returns the environ, a new reference, with *input, another one, in it. On failure it has told the front and the log,
 * and returns NULL. Takes body_fd over. */
static PyObject *make_environ(struct hg_thread *t, int body_fd, PyObject **input)
{
	const char *error = NULL;
	PyObject *environ = hg_environ_build(t->environ, &t->message, &t->line, &error);
	if (!environ && body_fd >= 0)
		close(body_fd);
	*input = environ ? hg_input_open(&t->message, body_fd) : NULL;
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
	PyObject *start = environ ? hg_start_new(t) : NULL;
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
