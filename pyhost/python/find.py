# Tells, as one JSON object, where the shared libpython of this interpreter may be. Runs on any
# Python that the user may have named, so it keeps to what Python 2.7 and 3.0 can do too.
import json
import os
import platform
import sys
import sysconfig

var = sysconfig.get_config_var
version = "%d.%d" % sys.version_info[:2]
flags = getattr(sys, "abiflags", "")
names = []
for name in (var("INSTSONAME"), var("LDLIBRARY"), "libpython%s%s.so.1.0" % (version, flags)):
    if name and ".so" in name and name not in names:
        names.append(name)
base = getattr(sys, "base_prefix", sys.prefix)
exec_base = getattr(sys, "base_exec_prefix", sys.exec_prefix)
dirs = []
for d in (
    var("LIBDIR"),
    var("LIBDIR") and var("MULTIARCH") and os.path.join(var("LIBDIR"), var("MULTIARCH")),
    os.path.join(exec_base, "lib"),
    os.path.join(base, "lib"),
    os.path.join(base, "lib64"),
    var("LIBPL"),
):
    if d and d not in dirs:
        dirs.append(d)
paths = [os.path.join(d, os.path.basename(n)) for d in dirs for n in names]
print(
    json.dumps(
        {
            "executable": sys.executable,
            "implementation": platform.python_implementation(),
            "version": "%d.%d.%d" % sys.version_info[:3],
            "prefix": base,
            "free_threaded": bool(var("Py_GIL_DISABLED")),
            "libpython": [p for p in paths if os.path.isfile(p)],
        }
    )
)
