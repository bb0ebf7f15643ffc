#include "start.h"

#include "worker.h"

/* Both functions are bound to an int: the serial of their request, with the thread's index above. So one that the
 * application keeps for longer than its request can do no harm. */
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

/* Raises the exception that an exc_info tuple holds, from where it was raised. */
static void raise_again(PyObject *exc_info)
{
	PyObject *value = py.PyTuple_GetItem(exc_info, 1), *traceback = py.PyTuple_GetItem(exc_info, 2);
	if (py.PyObject_IsInstance(value, HG_PY_EXC(BaseException)) != 1) {
		py.PyErr_SetString(HG_PY_EXC(AssertionError), "start_response was called after the response had begun");
		return;
	}
	if (traceback != py.None && py.PyException_SetTraceback(value, traceback) < 0)
		return;
	PyObject *type = py.PyObject_Type(value);
	py.PyErr_SetObject(type, value);
	py.Py_DecRef(type);
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

PyObject *hg_start_new(struct hg_thread *t)
{
	t->serial = ++t->last_serial;
	PyObject *serial = py.PyLong_FromUnsignedLongLong(serial_of(t));
	PyObject *start = serial ? py.PyCFunction_NewEx(&start_response_def, serial, NULL) : NULL;
	py.Py_DecRef(serial);
	return start;
}
