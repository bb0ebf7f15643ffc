package worker

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fvisibility=hidden
// #cgo LDFLAGS: -ldl -lpthread
// #include <stdlib.h>
// #include "title.h"
import "C"

import "unsafe"

// SetTitle sets what ps shows of this process, like "hognose: front", and, cut to 15 bytes, what top shows.
// A title longer than the process's own arguments and environment is cut. Safe for concurrent use.
func SetTitle(title string) {
	t := C.CString(title)
	defer C.free(unsafe.Pointer(t))
	n := C.CString(title[:min(len(title), 15)])
	defer C.free(unsafe.Pointer(n))
	C.hg_title_set(t, n)
}
