package worker

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fvisibility=hidden
// #cgo LDFLAGS: -ldl -lpthread
// #include <stdlib.h>
// #include "message.h"
// #include "title.h"
import "C"

import (
	"errors"
	"unsafe"
)

// SetTitle sets what ps shows of this process, like "hognose: front", and, cut to 15 bytes, what top shows.
// A title longer than the process's own arguments and environment is cut. Safe for concurrent use.
func SetTitle(title string) {
	t := C.CString(title)
	defer C.free(unsafe.Pointer(t))
	n := C.CString(title[:min(len(title), 15)])
	defer C.free(unsafe.Pointer(n))
	C.hg_title_set(t, n)
}

// parseMessage takes a queue message apart with the code that workers use. It is here for the tests, which cannot call C:
// they hold it against package wire's and package uwsgi's. vars are keys and values in turn.
func parseMessage(msg []byte) (vars [][]byte, body []byte, err error) {
	p := C.CBytes(msg)
	defer C.free(p)
	var m C.struct_hg_message
	if text := C.hg_message_parse((*C.uchar)(p), C.size_t(len(msg)), &m); text != nil {
		return nil, nil, errors.New(C.GoString(text))
	}
	next, end := m.vars, (*C.uchar)(unsafe.Add(unsafe.Pointer(m.vars), m.vars_len))
	for next != end {
		var v C.struct_hg_var
		text := C.hg_var_cut(&next, end, &v)
		if text == nil {
			text = C.hg_var_key_error(v.key, v.key_len)
		}
		if text != nil {
			return nil, nil, errors.New(C.GoString(text))
		}
		vars = append(vars, C.GoBytes(unsafe.Pointer(v.key), C.int(v.key_len)), C.GoBytes(unsafe.Pointer(v.value), C.int(v.value_len)))
	}
	return vars, C.GoBytes(unsafe.Pointer(m.body), C.int(m.body_len)), nil
}
