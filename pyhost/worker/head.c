#include "head.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "log.h"

/* What an application may fill; the rest is for the count and for a Content-Length that we add. */
#define HEAD_LIMIT (HG_MAX_HEAD - HG_HEAD_SPARE)

/* What a byte may be part of. */
#define NAME 1 /* a field name: a token of RFC 9110 section 5.6.2 */
#define TEXT 2 /* a field value or reason phrase: no control character but tab */

/* clang-format off */
static const unsigned char classes[256] = {
	/* 0x00 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
	/* 0x10 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	/* 0x20 */ 2, 3, 2, 3, 3, 3, 3, 3, 2, 2, 3, 3, 2, 3, 3, 2, /*  !"#$%&'()*+,-./ */
	/* 0x30 */ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, /* 0-9:;<=>? */
	/* 0x40 */ 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* @A-O */
	/* 0x50 */ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 3, 3, /* P-Z[\]^_ */
	/* 0x60 */ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* `a-o */
	/* 0x70 */ 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 2, 3, 0, /* p-z{|}~ */
	/* 0x80 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	/* 0x90 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	/* 0xa0 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	/* 0xb0 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	/* 0xc0 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	/* 0xd0 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	/* 0xe0 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	/* 0xf0 */ 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};
/* clang-format on */

static void put16(unsigned char *p, size_t v)
{
	p[0] = v & 0xff;
	p[1] = v >> 8 & 0xff;
}

/* A str of the application, as bytes of UTF-8, which for ASCII are those of latin-1. */
struct text {
	const char *p;
	size_t n;
};

static int get_text(PyObject *o, const char *what, struct text *t)
{
	Py_ssize_t n;
	t->p = py.PyUnicode_AsUTF8AndSize(o, &n);
	t->n = (size_t)n;
	if (t->p)
		return 0;
	if (py.PyErr_ExceptionMatches(HG_PY_EXC(TypeError))) {
		PyObject *type = py.PyObject_Type(o);
		py.PyErr_Format(HG_PY_EXC(TypeError), "%s must be str, not %R", what, type);
		py.Py_DecRef(type);
	}
	return -1;
}

/* Appends t, as latin-1, behind its length. Every byte must be of the class. */
static int append(struct hg_head *h, PyObject *o, const struct text *t, const char *what, unsigned char class)
{
	if (h->len + 2 + t->n > HEAD_LIMIT) {
		py.PyErr_Format(HG_PY_EXC(ValueError), "response headers are larger than %d bytes", HEAD_LIMIT);
		return -1;
	}
	unsigned char *start = h->data + h->len + 2, *out = start;
	for (size_t i = 0; i < t->n; i++) {
		unsigned char c = (unsigned char)t->p[i];
		if (c >= 0x80) {
			if (c > 0xc3) {
				py.PyErr_Format(
					HG_PY_EXC(ValueError), "%s %R has a character outside latin-1", what, o);
				return -1;
			}
			c = (unsigned char)(c << 6 | ((unsigned char)t->p[++i] & 0x3f));
		}
		if (!(classes[c] & class)) {
			py.PyErr_Format(HG_PY_EXC(ValueError), "%s %R has a forbidden character", what, o);
			return -1;
		}
		*out++ = c;
	}
	put16(start - 2, (size_t)(out - start));
	h->len = (size_t)(out - h->data);
	return 0;
}

/* Fields about the connection, which is the server's: RFC 2616 section 13.5.1, which PEP 3333 names. */
static const char *const hop_by_hop[] = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
	"trailer", "trailers", "transfer-encoding", "upgrade"};

static bool is_hop_by_hop(const struct text *name)
{
	static _Atomic unsigned logged;
	for (unsigned i = 0; i < sizeof hop_by_hop / sizeof *hop_by_hop; i++) {
		if (strlen(hop_by_hop[i]) != name->n || strncasecmp(hop_by_hop[i], name->p, name->n))
			continue;
		if (!(atomic_fetch_or(&logged, 1u << i) & 1u << i))
			hg_log("left out the response header %s: an application must not set it (PEP 3333); "
			       "not logged again",
				hop_by_hop[i]);
		return true;
	}
	return false;
}

/* Whitespace around a value means nothing (RFC 9110 section 5.5) and is an error in HTTP/2; Django, for one, puts a space
 * before a cookie. */
static void trim(struct text *t)
{
	while (t->n && (*t->p == ' ' || *t->p == '\t'))
		t->p++, t->n--;
	while (t->n && (t->p[t->n - 1] == ' ' || t->p[t->n - 1] == '\t'))
		t->n--;
}

static int set_length(struct hg_head *h, const struct text *value, PyObject *o)
{
	int64_t n = 0;
	bool good = value->n > 0 && value->n <= 18 && h->content_length < 0;
	for (size_t i = 0; good && i < value->n; i++) {
		good = value->p[i] >= '0' && value->p[i] <= '9';
		n = 10 * n + (value->p[i] - '0');
	}
	if (!good) {
		py.PyErr_Format(HG_PY_EXC(ValueError), "Content-Length %R is not a number, or comes twice", o);
		return -1;
	}
	h->content_length = n;
	return 0;
}

static int add_field(struct hg_head *h, PyObject *name, PyObject *value)
{
	struct text n, v;
	if (get_text(name, "response header name", &n) < 0 || get_text(value, "response header value", &v) < 0)
		return -1;
	trim(&v);
	if (n.n == 0) {
		py.PyErr_SetString(HG_PY_EXC(ValueError), "response header name is empty");
		return -1;
	}
	if (is_hop_by_hop(&n))
		return 0;
	if (n.n == 14 && !strncasecmp(n.p, "content-length", 14)) {
		if (set_length(h, &v, value) < 0)
			return -1;
		if (h->status == 204)
			return 0; /* RFC 9110 section 8.6: not in a 204 */
	}
	if (append(h, name, &n, "response header name", NAME) < 0 ||
		append(h, value, &v, "response header value", TEXT) < 0)
		return -1;
	h->count++;
	return 0;
}

static int set_status(struct hg_head *h, PyObject *status)
{
	struct text s;
	if (get_text(status, "status", &s) < 0)
		return -1;
	h->status = 0;
	for (size_t i = 0; i < 3 && i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		h->status = 10 * h->status + (s.p[i] - '0');
	if (h->status < 200 || (s.n > 3 && s.p[3] != ' ')) {
		py.PyErr_Format(HG_PY_EXC(ValueError),
			"status %R must be three digits from 200 on, a space and a reason, like '200 OK'", status);
		return -1;
	}
	put16(h->data, (size_t)h->status);
	h->len = 2;
	struct text reason = {s.p + 4, s.n > 4 ? s.n - 4 : 0};
	return append(h, status, &reason, "status", TEXT);
}

static int add_item(struct hg_head *h, PyObject *item)
{
	if (py.PyTuple_Size(item) != 2) {
		py.PyErr_Clear();
		py.PyErr_Format(HG_PY_EXC(TypeError), "response header must be a tuple (name, value), not %R", item);
		return -1;
	}
	return add_field(h, py.PyTuple_GetItem(item, 0), py.PyTuple_GetItem(item, 1));
}

int hg_head_set(struct hg_head *h, PyObject *status, PyObject *headers)
{
	h->content_length = -1;
	h->count = 0;
	if (set_status(h, status) < 0)
		return -1;
	h->count_at = h->len;
	h->len += 2;

	Py_ssize_t n = py.PyList_Size(headers);
	if (n < 0) {
		PyObject *type = py.PyObject_Type(headers);
		py.PyErr_Clear();
		py.PyErr_Format(HG_PY_EXC(TypeError), "response headers must be a list of tuples, not %R", type);
		py.Py_DecRef(type);
		return -1;
	}
	for (Py_ssize_t i = 0; i < n; i++)
		if (add_item(h, py.PyList_GetItem(headers, i)) < 0)
			return -1;
	put16(h->data + h->count_at, h->count);
	return 0;
}

void hg_head_add_length(struct hg_head *h, uint64_t n)
{
	static const char name[] = "Content-Length";
	unsigned char *p = h->data + h->len;
	put16(p, sizeof name - 1);
	memcpy(p + 2, name, sizeof name - 1);
	p += 2 + sizeof name - 1;
	char text[20];
	size_t digits = 0;
	do
		text[sizeof text - ++digits] = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(p + 2, text + sizeof text - digits, digits);
	put16(p, digits);
	h->len = (size_t)(p - h->data) + 2 + digits;
	put16(h->data + h->count_at, ++h->count);
}
