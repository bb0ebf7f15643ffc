#include "module.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "title.h"
#include "worker.h"
#include "zygote.h"

#define BOOTSTRAP_FILE "<hognose bootstrap>"

static const struct hg_settings *settings;
static struct hg_birth birth = {.control = -1};

static PyObject *none(void)
{
	py.Py_IncRef(py.None);
	return py.None;
}

/* Runs the bootstrap: a module of its own, so that __main__ stays empty. */
static PyObject *boot(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	PyObject *code = py.Py_CompileString(settings->bootstrap, BOOTSTRAP_FILE, HG_PY_FILE_INPUT);
	PyObject *module = code ? py.PyImport_ExecCodeModuleEx("_hognose_bootstrap", code, BOOTSTRAP_FILE) : NULL;
	PyObject *name = module ? py.PyUnicode_FromString("main") : NULL;
	PyObject *result = name ? py.PyObject_CallMethodObjArgs(module, name, NULL) : NULL;
	py.Py_DecRef(name);
	py.Py_DecRef(module);
	py.Py_DecRef(code);
	return result;
}

static PyObject *imported(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	hg_control_disarm(HG_FD_CONTROL);
	hg_control_send(HG_FD_CONTROL, HG_CTL_IMPORTED, 0, 0, NULL);
	return none();
}

static PyObject *failed(PyObject *self, PyObject *text)
{
	(void)self;
	const char *p = py.PyUnicode_AsUTF8AndSize(text, NULL);
	if (!p)
		return NULL;
	hg_control_send(HG_FD_CONTROL, HG_CTL_FAILED, 0, 0, p);
	return none();
}

/* The worker's name in ps, top and the log; people count from 1. */
static void name_worker(void)
{
	char title[256], name[32];
	unsigned n = birth.worker + 1;
	snprintf(title, sizeof title, "hognose: app %.200s worker %u", settings->app, n);
	int room = 15 - (int)strlen("hognose:") - snprintf(NULL, 0, "/%u", n);
	snprintf(name, sizeof name, "hognose:%.*s/%u", room > 0 ? room : 0, settings->app, n);
	hg_title_set(title, name);
	hg_log_name(title);
}

/* Serves the master. Returns the worker's number, from 0, in a new worker; -1 in the zygote when that shall end. */
static PyObject *zygote(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	if (hg_zygote_run(HG_FD_CONTROL, &birth) == HG_ZYGOTE_STOP)
		return py.PyLong_FromLong(-1);
	name_worker();
	return py.PyLong_FromLong((long)birth.worker);
}

/* worker(application, file_wrapper, file_region, open_body, report) -> number of threads to run serve() in */
static PyObject *worker(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
	(void)self;
	if (n != 5 || kwnames) {
		py.PyErr_SetString(HG_PY_EXC(TypeError), "worker takes five arguments");
		return NULL;
	}
	struct hg_hooks hooks = {args[0], args[1], args[2], args[3], args[4]};
	if (hg_worker_init(settings->app, birth.worker, birth.control, HG_FD_QUEUE, HG_FD_SCOREBOARD, &hooks) < 0)
		return NULL;
	return py.PyLong_FromLong((long)hg_worker.threads);
}

static PyObject *serve(PyObject *self, PyObject *index)
{
	(void)self;
	long i = py.PyLong_AsLong(index);
	if (i < 0 || i >= (long)hg_worker.threads) {
		if (!py.PyErr_Occurred())
			py.PyErr_SetString(HG_PY_EXC(ValueError), "no such thread");
		return NULL;
	}
	return hg_worker_serve((unsigned)i) < 0 ? NULL : none();
}

static PyObject *forget(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	hg_worker_forget();
	return none();
}

static struct hg_py_method_def methods[] = {
	{"boot", boot, HG_PY_NOARGS, "Runs the bootstrap."},
	{"imported", imported, HG_PY_NOARGS, "Tells the master that the application is imported."},
	{"failed", failed, HG_PY_ONE_ARG, "Tells the master why the application cannot be imported."},
	{"zygote", zygote, HG_PY_NOARGS, "Serves the master; returns in each forked worker, with its number."},
	{"worker", worker, HG_PY_FAST_KEYWORDS, "Turns the process into a worker; returns its number of threads."},
	{"serve", serve, HG_PY_ONE_ARG, "Serves requests on thread i of the worker until that stops."},
	{"forget", forget, HG_PY_NOARGS, "Lets go of the worker's sockets in a child that the application forked."},
	{NULL, NULL, 0, NULL},
};

static PyObject *make_module(void)
{
	PyObject *m = hg_py_module("_hognose", "The native half of the bootstrap.", methods);
	const struct {
		const char *name, *value;
	} texts[] = {{"app", settings->app}, {"settings", settings->settings}, {"source", settings->bootstrap},
		{"source_name", BOOTSTRAP_FILE}};
	for (size_t i = 0; m && i < sizeof texts / sizeof *texts; i++) {
		PyObject *text = py.PyUnicode_FromString(texts[i].value);
		if (!text || py.PyObject_SetAttrString(m, texts[i].name, text) < 0) {
			py.Py_DecRef(m);
			m = NULL;
		}
		py.Py_DecRef(text);
	}
	return m;
}

int hg_module_install(const struct hg_settings *s)
{
	settings = s;
	return py.PyImport_AppendInittab("_hognose", make_module);
}
