#include "py_api.h"

#include <dlfcn.h>
#include <stdio.h>

struct hg_py py;

struct symbol {
	const char *name;
	size_t offset;
};

static const struct symbol symbols[] = {
#define X(result, name, args) {#name, offsetof(struct hg_py, name)},
	HG_PY_FUNCTIONS(X)
#undef X
#define X(name, symbol) {#symbol, offsetof(struct hg_py, name)},
		HG_PY_OBJECTS(X)
#undef X
#define X(name) {#name, offsetof(struct hg_py, name##_pointer)},
			HG_PY_EXCEPTIONS(X)
#undef X
};

/* A free-threaded build has another object header and none of the promises of the stable ABI. */
static bool free_threaded(void *library)
{
	return dlsym(library, "_Py_MergeZeroLocalRefcount") != NULL;
}

int hg_py_load(const char *path, char *error, size_t size)
{
	/* RTLD_GLOBAL: extension modules find CPython's symbols in the process, as they do in bin/python. */
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (!library) {
		snprintf(error, size, "cannot load libpython: %s", dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *address = dlsym(library, symbols[i].name);
		if (!address) {
			const char *(*version)(void) = (const char *(*)(void))dlsym(library, "Py_GetVersion");
			snprintf(error, size,
				"libpython \"%s\" (version \"%.40s\") lacks \"%s\": CPython 3.8 or later is needed",
				path, version ? version() : "unknown", symbols[i].name);
			return -1;
		}
		*(void **)((char *)&py + symbols[i].offset) = address;
	}
	if (free_threaded(library)) {
		snprintf(error, size,
			"libpython \"%s\" is a free-threaded build, which is not supported: use the one with the GIL",
			path);
		return -1;
	}
	return 0;
}

PyObject *hg_py_module(const char *name, const char *doc, struct hg_py_method_def *methods)
{
	/* PyModuleDef, a struct of the stable ABI, as words: object header (2), m_init, m_index, m_copy, m_name,
	 * m_doc, m_size, m_methods, m_slots, m_traverse, m_clear, m_free. CPython keeps a pointer to it. */
	static void *def[13];
	def[5] = (void *)name;
	def[6] = (void *)doc;
	def[7] = (void *)(Py_ssize_t)-1; /* no state per interpreter */
	def[8] = methods;
	return py.PyModule_Create2(def, HG_PY_ABI_VERSION);
}

bool hg_py_is(PyObject *o, PyObject *type)
{
	PyObject *t = py.PyObject_Type(o);
	py.Py_DecRef(t);
	return t == type;
}
