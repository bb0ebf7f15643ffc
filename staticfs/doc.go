// Package staticfs serves files: nginx's root, alias and index, with conditional
// requests and ranges, from a cache of open files.
//
// Place in the flow: the router of package proxy hands an exchange to (*FS).Serve,
// which fills the response; the protocol loop sends it. Small files, and larger ones that are
// asked for often, leave from memory, the others as a descriptor and a range, for sendfile(2).
//
// # What is served
//
// The file's name is Root and the whole path, or Alias and what follows Prefix in the path, at a
// segment boundary. Only regular files are served. Names are resolved by the kernel beneath a
// directory that is held open (openat2 with RESOLVE_BENEATH, or os.Root where the
// kernel lacks it): symbolic links may lead anywhere inside the root but never out of it, and absolute
// links count as leading out. The root itself may be a symbolic link, and be swapped.
//
// Segments that begin with a dot are not found, except /.well-known (RFC 8615). Nor is
// a path with an encoded slash or backslash. A directory without its slash is
// redirected to the same path with it, one with its slash answers its index, or 403
// without one. What may not be opened is not found: 404 says nothing about what exists.
//
// # Freshness
//
// A file that was opened or checked less than a second ago (nginx: open_file_cache_valid) is not looked at
// again: a hit on a file in memory makes no system call. After that it is opened anew and compared (device, inode,
// size, modification and change time), so a changed, replaced or removed file is seen within a
// second. The root is re-resolved as often, and when it has become another directory (an
// atomic deploy by symbolic link), nothing from the old one is a hit any more.
//
// A file in memory is sent as it was when it was read. Others are sent from their descriptors: when
// it is replaced meanwhile, the response goes on with the old file; when it is truncated,
// ReadAt returns io.EOF early and sendfile(2) returns 0 before the announced length has
// been sent, and the protocol loop must then abort the connection (HTTP/1) or the stream
// (HTTP/2). When it grows, the response ends at the announced length.
//
// # Goroutines
//
// None. While the cache is not empty, one timer closes what was not used for a while
// (nginx: open_file_cache inactive); Cache.Close stops it. An FS needs no closing: its one
// descriptor, of the root, is closed with the garbage.
package staticfs
