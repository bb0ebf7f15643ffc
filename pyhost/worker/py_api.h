/* CPython's C API, as much of it as we use, without Python.h: one build serves every CPython
 * from 3.8 on. Each symbol stands in one list below and is looked up in the libpython that the
 * application's interpreter belongs to. All of them are in the stable ABI or have been
 * exported by every version since 3.8; objects are opaque, no struct of CPython is touched.
 *
 * Use: py.PyDict_New(), py.PyExc_TypeError, after hg_py_load() has filled `py`. The members have the names,
 * the reference rules and the GIL rules of CPython's own documentation: unless a comment says
 * otherwise, all need the GIL.
 *
 * Only py_api.c calls dlopen and dlsym. */
#ifndef HG_PY_API_H
#define HG_PY_API_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <wchar.h>

typedef struct hg_py_object PyObject;
typedef struct hg_py_thread_state PyThreadState;
typedef ssize_t Py_ssize_t;

/* PyMethodDef is part of the stable ABI. `method` is a hg_py_method or a hg_py_fast_method, as `flags` says. */
typedef PyObject *(*hg_py_method)(PyObject *self, PyObject *arg);
typedef PyObject *(*hg_py_fast_method)(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);

struct hg_py_method_def {
	const char *name;
	void *method;
	int flags;
	const char *doc;
};

#define HG_PY_NOARGS 0x0004        /* METH_NOARGS */
#define HG_PY_ONE_ARG 0x0008       /* METH_O */
#define HG_PY_FAST_KEYWORDS 0x0082 /* METH_FASTCALL | METH_KEYWORDS */

#define HG_PY_ABI_VERSION 3  /* PYTHON_ABI_VERSION */
#define HG_PY_FILE_INPUT 257 /* Py_file_input */

/* X(result, name, arguments) */
#define HG_PY_FUNCTIONS(X)                                                                                             \
	X(int, Py_BytesMain, (int argc, char **argv))                               /* no GIL: takes it */             \
	X(int, PyImport_AppendInittab, (const char *name, PyObject *(*init)(void))) /* before Py_BytesMain */          \
	X(PyObject *, PyModule_Create2, (void *def, int abi))                                                          \
	X(PyObject *, PyCFunction_NewEx, (struct hg_py_method_def * def, PyObject * self, PyObject * module))          \
	X(PyObject *, Py_CompileString, (const char *source, const char *filename, int start))                         \
	X(PyObject *, PyImport_ExecCodeModuleEx, (const char *name, PyObject *code, const char *filename))             \
	X(PyObject *, PyImport_ImportModule, (const char *name))                                                       \
	X(PyThreadState *, PyEval_SaveThread, (void))                                                                  \
	X(void, PyEval_RestoreThread, (PyThreadState * state)) /* no GIL: takes it */                                  \
	X(void, PyOS_BeforeFork, (void))                                                                               \
	X(void, PyOS_AfterFork_Parent, (void))                                                                         \
	X(void, PyOS_AfterFork_Child, (void))                                                                          \
	X(void, Py_IncRef, (PyObject * o))                                                                             \
	X(void, Py_DecRef, (PyObject * o))                                                                             \
	X(PyObject *, PyObject_Type, (PyObject * o))                                                                   \
	X(int, PyObject_IsInstance, (PyObject * o, PyObject * class))                                                  \
	X(Py_ssize_t, PyObject_Size, (PyObject * o))                                                                   \
	X(PyObject *, PyObject_GetIter, (PyObject * o))                                                                \
	X(PyObject *, PyIter_Next, (PyObject * o))                                                                     \
	X(PyObject *, PyObject_GetAttr, (PyObject * o, PyObject * name))                                               \
	X(PyObject *, PyObject_GetAttrString, (PyObject * o, const char *name))                                        \
	X(int, PyObject_SetAttrString, (PyObject * o, const char *name, PyObject *value))                              \
	X(PyObject *, PyObject_CallObject, (PyObject * callable, PyObject * args))                                     \
	X(PyObject *, PyObject_CallFunctionObjArgs, (PyObject * callable, ...))                                        \
	X(PyObject *, PyObject_CallMethodObjArgs, (PyObject * o, PyObject * name, ...))                                \
	X(PyObject *, PyDict_New, (void))                                                                              \
	X(PyObject *, PyDict_Copy, (PyObject * dict))                                                                  \
	X(int, PyDict_SetItem, (PyObject * dict, PyObject * key, PyObject * value))                                    \
	X(int, PyDict_SetItemString, (PyObject * dict, const char *key, PyObject *value))                              \
	X(Py_ssize_t, PyDict_Size, (PyObject * dict))                                                                  \
	X(Py_ssize_t, PyList_Size, (PyObject * list))                                                                  \
	X(PyObject *, PyList_GetItem, (PyObject * list, Py_ssize_t i))                                                 \
	X(Py_ssize_t, PyTuple_Size, (PyObject * tuple))                                                                \
	X(PyObject *, PyTuple_GetItem, (PyObject * tuple, Py_ssize_t i))                                               \
	X(PyObject *, PyTuple_Pack, (Py_ssize_t n, ...))                                                               \
	X(PyObject *, PyBool_FromLong, (long v))                                                                       \
	X(PyObject *, PyLong_FromLong, (long v))                                                                       \
	X(PyObject *, PyLong_FromUnsignedLongLong, (unsigned long long v))                                             \
	X(long, PyLong_AsLong, (PyObject * o))                                                                         \
	X(long long, PyLong_AsLongLong, (PyObject * o))                                                                \
	X(unsigned long long, PyLong_AsUnsignedLongLong, (PyObject * o))                                               \
	X(PyObject *, PyBytes_FromStringAndSize, (const char *p, Py_ssize_t n))                                        \
	X(int, PyBytes_AsStringAndSize, (PyObject * o, char **p, Py_ssize_t *n))                                       \
	X(PyObject *, PyUnicode_DecodeLatin1, (const char *p, Py_ssize_t n, const char *errors))                       \
	X(PyObject *, PyUnicode_FromString, (const char *p))                                                           \
	X(PyObject *, PyUnicode_InternFromString, (const char *p))                                                     \
	X(const char *, PyUnicode_AsUTF8AndSize, (PyObject * o, Py_ssize_t * n))                                       \
	X(int, PyUnicode_CompareWithASCIIString, (PyObject * o, const char *p))                                        \
	X(PyObject *, PyErr_Occurred, (void))                                                                          \
	X(void, PyErr_Clear, (void))                                                                                   \
	X(void, PyErr_SetString, (PyObject * type, const char *text))                                                  \
	X(void, PyErr_SetObject, (PyObject * type, PyObject * value))                                                  \
	X(int, PyException_SetTraceback, (PyObject * value, PyObject * traceback))                                     \
	X(PyObject *, PyErr_Format, (PyObject * type, const char *format, ...))                                        \
	X(PyObject *, PyErr_NoMemory, (void))                                                                          \
	X(PyObject *, PyErr_SetFromErrno, (PyObject * type))                                                           \
	X(int, PyErr_ExceptionMatches, (PyObject * type))                                                              \
	X(void, PyErr_Fetch, (PyObject * *type, PyObject * *value, PyObject * *traceback))                             \
	X(void, PyErr_NormalizeException, (PyObject * *type, PyObject * *value, PyObject * *traceback))                \
	X(void, PyErr_WriteUnraisable, (PyObject * o))                                                                 \
	X(int, PyErr_CheckSignals, (void))

/* Objects that are static in libpython: X(name in `py`, symbol) */
#define HG_PY_OBJECTS(X)                                                                                               \
	X(None, _Py_NoneStruct)                                                                                        \
	X(PyList_Type, PyList_Type)                                                                                    \
	X(PyTuple_Type, PyTuple_Type)                                                                                  \
	X(PyGen_Type, PyGen_Type)

/* Exception classes: libpython exports a pointer to each. */
#define HG_PY_EXCEPTIONS(X)                                                                                            \
	X(PyExc_AssertionError)                                                                                        \
	X(PyExc_BaseException)                                                                                         \
	X(PyExc_AttributeError)                                                                                        \
	X(PyExc_ConnectionAbortedError)                                                                                \
	X(PyExc_OSError)                                                                                               \
	X(PyExc_RuntimeError)                                                                                          \
	X(PyExc_SystemExit)                                                                                            \
	X(PyExc_TypeError)                                                                                             \
	X(PyExc_ValueError)

struct hg_py {
#define X(result, name, args) result(*name) args;
	HG_PY_FUNCTIONS(X)
#undef X
#define X(name, symbol) PyObject *name;
	HG_PY_OBJECTS(X)
#undef X
#define X(name) PyObject **name##_pointer;
	HG_PY_EXCEPTIONS(X)
#undef X
};

/* Written once by hg_py_load, before Python starts. */
extern struct hg_py py;

#define HG_PY_EXC(name) (*py.PyExc_##name##_pointer)

/* Loads libpython from path and fills `py`. Returns 0, or -1 with a text for people in error. No GIL: Python has not
 * started. The library stays loaded for good. */
int hg_py_load(const char *path, char *error, size_t size);

/* Describes the module of methods (which must live for ever) and creates it: new reference or
 * NULL with an exception. GIL held. */
PyObject *hg_py_module(const char *name, const char *doc, struct hg_py_method_def *methods);

/* Whether o's type is exactly the given one. GIL held. */
bool hg_py_is(PyObject *o, PyObject *type);

#endif
