#include "environ.h"

#include <stdlib.h>
#include <string.h>

#include "keys.h"

/* Requests whose keys come in the same order, as those of one client do, begin as a copy of one dictionary: a template. That
 * is cheaper than to fill one from nothing, which grows several times. So many orders are remembered, of requests
 * of at most so many variables. */
#define TEMPLATES 8
#define TEMPLATE_VARS 64

struct template
{
	PyObject *dict;     /* base and all keys, with the values that are kept, None for the others; owned, or NULL */
	uint32_t candidate; /* the order that was seen last: seen twice in a row, it becomes the template */
	unsigned n;
	struct hg_key *keys[TEMPLATE_VARS];
	PyObject *values[TEMPLATE_VARS]; /* borrowed from dict */
};

struct var {
	struct hg_key *key; /* NULL if it is not cached */
	struct hg_var v;
};

struct hg_environ {
	PyObject *base; /* what every environ starts as: the wsgi. keys */
	Py_ssize_t base_size;
	PyObject *name_input, *name_scheme, *https;
	struct hg_keys *keys;
	struct hg_key *first; /* a guess of the first key */
	struct template templates[TEMPLATES];
	/* The request that is being made: */
	struct var *vars;
	unsigned n, room;
	uint32_t order; /* a hash of the keys in their order */
	bool regular;   /* fit for a template */
};

/* ---- making a maker ------------------------------------------------------------ */

/* Puts value, which it takes over, into dict. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
	int rc = value ? py.PyDict_SetItemString(dict, key, value) : -1;
	py.Py_DecRef(value);
	return rc;
}

static PyObject *version(void)
{
	PyObject *one = py.PyLong_FromLong(1), *zero = py.PyLong_FromLong(0);
	PyObject *pair = one && zero ? py.PyTuple_Pack(2, one, zero) : NULL;
	py.Py_DecRef(one);
	py.Py_DecRef(zero);
	return pair;
}

static PyObject *make_base(bool multithread, bool multiprocess, PyObject *file_wrapper)
{
	PyObject *sys = py.PyImport_ImportModule("sys");
	PyObject *errors = sys ? py.PyObject_GetAttrString(sys, "stderr") : NULL;
	PyObject *base = errors ? py.PyDict_New() : NULL;
	py.Py_DecRef(sys);
	if (!base || put(base, "wsgi.version", version()) < 0 || put(base, "wsgi.errors", errors) < 0 ||
		put(base, "wsgi.multithread", py.PyBool_FromLong(multithread)) < 0 ||
		put(base, "wsgi.multiprocess", py.PyBool_FromLong(multiprocess)) < 0 ||
		put(base, "wsgi.run_once", py.PyBool_FromLong(false)) < 0 ||
		py.PyDict_SetItemString(base, "wsgi.file_wrapper", file_wrapper) < 0 ||
		put(base, "wsgi.input_terminated", py.PyBool_FromLong(true)) < 0 ||
		put(base, "wsgi.url_scheme", py.PyUnicode_InternFromString("http")) < 0 ||
		py.PyDict_SetItemString(base, "wsgi.input", py.None) < 0) {
		py.Py_DecRef(base);
		return NULL;
	}
	return base;
}

struct hg_environ *hg_environ_new(bool multithread, bool multiprocess, PyObject *file_wrapper)
{
	struct hg_environ *e = calloc(1, sizeof *e);
	if (!e) {
		py.PyErr_NoMemory();
		return NULL;
	}
	e->keys = hg_keys_new();
	e->base = e->keys ? make_base(multithread, multiprocess, file_wrapper) : NULL;
	e->name_input = py.PyUnicode_InternFromString("wsgi.input");
	e->name_scheme = py.PyUnicode_InternFromString("wsgi.url_scheme");
	e->https = py.PyUnicode_InternFromString("https");
	if (!e->base || !e->name_input || !e->name_scheme || !e->https)
		return NULL; /* the thread cannot start, so the process ends: nothing is given back */
	e->base_size = py.PyDict_Size(e->base);
	return e;
}

/* ---- the variables of a request --------------------------------------------------- */

/* Notes what the worker wants to know. */
static void note(const struct hg_key *k, const struct hg_var *v, struct hg_request_line *line)
{
	switch (k->role) {
	case HG_KEY_METHOD:
		line->method = v->value;
		line->method_len = v->value_len;
		break;
	case HG_KEY_URI:
		line->uri = v->value;
		line->uri_len = v->value_len;
		break;
	case HG_KEY_SCHEME:
		line->https = v->value_len == 5 && !memcmp(v->value, "https", 5);
		break;
	case HG_KEY_PLAIN:
		break;
	}
}

static bool grow(struct hg_environ *e)
{
	if (e->n < e->room)
		return true;
	unsigned room = e->room ? 2 * e->room : TEMPLATE_VARS;
	struct var *vars = realloc(e->vars, room * sizeof *vars);
	if (!vars) {
		py.PyErr_NoMemory();
		return false;
	}
	e->vars = vars;
	e->room = room;
	return true;
}

/* Cuts the next variable off *p and finds its key; guess is what that may be. Returns what is wrong, or NULL. */
static const char *next_var(
	struct hg_environ *e, const unsigned char **p, const unsigned char *end, struct hg_key *guess, struct var *var)
{
	const unsigned char *start = *p;
	const char *error = hg_var_cut(p, end, &var->v);
	if (error)
		return error;
	var->key = guess;
	if (!guess || guess->key_size != 2 + var->v.key_len || memcmp(guess->record, start, guess->key_size))
		var->key = hg_keys_find(e->keys, &var->v, &error);
	return error;
}

/* Takes the packet apart into e->vars. Returns false with *error or an exception. */
static bool scan(struct hg_environ *e, const struct hg_message *m, struct hg_request_line *line, const char **error)
{
	const unsigned char *p = m->vars, *end = p + m->vars_len;
	struct hg_key **guess = &e->first;
	e->order = 0;
	e->regular = true;
	for (e->n = 0; p < end; e->n++) {
		if (!grow(e))
			return false;
		struct var *var = &e->vars[e->n];
		if ((*error = next_var(e, &p, end, *guess, var)))
			return false;
		if (!var->key) {
			e->regular = false;
			continue;
		}
		*guess = var->key;
		guess = &var->key->next;
		e->order = e->order * 31 + var->key->hash;
		if (var->key->role != HG_KEY_PLAIN)
			note(var->key, &var->v, line);
	}
	e->regular = e->regular && e->n <= TEMPLATE_VARS;
	return true;
}

/* ---- making an environ --------------------------------------------------------------- */

static int set(PyObject *dict, const struct var *var)
{
	struct hg_key *k = var->key;
	PyObject *name = k ? k->name : py.PyUnicode_DecodeLatin1(var->v.key, (Py_ssize_t)var->v.key_len, NULL);
	PyObject *value = hg_key_value(k, &var->v);
	int rc = name && value ? py.PyDict_SetItem(dict, name, value) : -1;
	if (!k)
		py.Py_DecRef(name);
	py.Py_DecRef(value);
	return rc;
}

static PyObject *fill(struct hg_environ *e, const char **error)
{
	PyObject *dict = py.PyDict_Copy(e->base);
	for (unsigned i = 0; dict && i < e->n; i++) {
		if (set(dict, &e->vars[i]) == 0)
			continue;
		py.Py_DecRef(dict);
		return NULL;
	}
	/* One entry for each variable, or a key came twice or was one of ours. */
	if (dict && py.PyDict_Size(dict) != e->base_size + (Py_ssize_t)e->n) {
		*error = "a uwsgi key comes twice, or starts with wsgi.";
		py.Py_DecRef(dict);
		return NULL;
	}
	return dict;
}

static bool matches(const struct hg_environ *e, const struct template *t)
{
	if (!t->dict || t->n != e->n)
		return false;
	for (unsigned i = 0; i < e->n; i++)
		if (t->keys[i] != e->vars[i].key)
			return false;
	return true;
}

/* Copies the template and sets what is another value. */
static PyObject *fill_template(struct hg_environ *e, const struct template *t)
{
	PyObject *dict = py.PyDict_Copy(t->dict);
	for (unsigned i = 0; dict && i < e->n; i++) {
		PyObject *value = hg_key_value(t->keys[i], &e->vars[i].v);
		int rc = value ? 0 : -1;
		if (value != t->values[i] && value)
			rc = py.PyDict_SetItem(dict, t->keys[i]->name, value);
		py.Py_DecRef(value);
		if (rc == 0)
			continue;
		py.Py_DecRef(dict);
		return NULL;
	}
	return dict;
}

/* Makes the order of this request, which has been found right, a template if it came twice in a row. Failing is no harm. */
static void learn(struct hg_environ *e, struct template *t)
{
	if (t->candidate != e->order) {
		t->candidate = e->order;
		return;
	}
	PyObject *dict = py.PyDict_Copy(e->base);
	for (unsigned i = 0; dict && i < e->n; i++) {
		struct hg_key *k = e->vars[i].key;
		t->keys[i] = k;
		t->values[i] = k->value ? k->value : py.None;
		if (py.PyDict_SetItem(dict, k->name, t->values[i]) == 0)
			continue;
		py.Py_DecRef(dict);
		dict = NULL;
	}
	if (!dict)
		py.PyErr_Clear();
	py.Py_DecRef(t->dict);
	t->dict = dict;
	t->n = e->n;
}

PyObject *hg_environ_build(
	struct hg_environ *e, const struct hg_message *m, struct hg_request_line *line, const char **error)
{
	*error = NULL;
	*line = (struct hg_request_line){.method = "", .uri = ""};
	if (!scan(e, m, line, error))
		return NULL;
	struct template *t = &e->templates[e->order % TEMPLATES];
	PyObject *dict;
	if (e->regular && matches(e, t)) {
		dict = fill_template(e, t);
	} else {
		dict = fill(e, error);
		if (dict && e->regular)
			learn(e, t);
	}
	if (dict && line->https && py.PyDict_SetItem(dict, e->name_scheme, e->https) < 0) {
		py.Py_DecRef(dict);
		return NULL;
	}
	return dict;
}

int hg_environ_set_input(struct hg_environ *e, PyObject *environ, PyObject *input)
{
	return py.PyDict_SetItem(environ, e->name_input, input);
}
