#include "message.h"

#include <string.h>

#define UWSGI_HEADER 4

static size_t get16(const unsigned char *p)
{
	return p[0] | (size_t)p[1] << 8;
}

/* The packet: modifier1, size of the block (16 bits), modifier2. Both modifiers are 0 for a Python request. */
static const char *parse_packet(struct hg_message *m)
{
	if (m->vars_len < UWSGI_HEADER)
		return "its uwsgi packet is cut off";
	if (m->vars[0] != 0 || m->vars[3] != 0)
		return "its uwsgi modifiers are not those of a Python request";
	if (get16(m->vars + 1) != m->vars_len - UWSGI_HEADER)
		return "its uwsgi packet has another size than it says";
	m->vars += UWSGI_HEADER;
	m->vars_len -= UWSGI_HEADER;
	return NULL;
}

const char *hg_message_parse(const unsigned char *p, size_t n, struct hg_message *m)
{
	struct hg_request *h = &m->header;
	if (n < sizeof *h)
		return "it is shorter than its header";
	memcpy(h, p, sizeof *h);
	if (h->magic != HG_REQUEST_MAGIC)
		return "it has a wrong magic number";
	if (h->vars_len > HG_MAX_VARS || h->vars_len > n - sizeof *h)
		return "it has fewer bytes of variables than it says";
	m->vars = p + sizeof *h;
	m->vars_len = h->vars_len;
	m->body = m->vars + m->vars_len;
	m->body_len = n - sizeof *h - m->vars_len;
	if (m->body_len != (h->flags & HG_REQUEST_BODY_FD ? 0 : h->body_len))
		return "it has another number of body bytes than it says";
	return parse_packet(m);
}

const char *hg_var_cut(const unsigned char **p, const unsigned char *end, struct hg_var *v)
{
	size_t left = (size_t)(end - *p);
	if (left < 2)
		return "the length of a uwsgi key is cut off";
	v->key_len = get16(*p);
	if (left - 2 < v->key_len + 2)
		return "a uwsgi key is cut off";
	v->key = (const char *)*p + 2;
	v->value_len = get16(*p + 2 + v->key_len);
	if (left - 4 - v->key_len < v->value_len)
		return "a uwsgi value is cut off";
	v->value = v->key + v->key_len + 2;
	*p += 4 + v->key_len + v->value_len;
	return NULL;
}

const char *hg_var_key_error(const char *key, size_t n)
{
	if (n == 0)
		return "a uwsgi key is empty";
	if (n >= 6 && !memcmp(key, "UWSGI_", 6))
		return "a uwsgi key starts with UWSGI_";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)key[i] <= ' ' || key[i] == 0x7f)
			return "a uwsgi key has a control character or space";
	return NULL;
}
