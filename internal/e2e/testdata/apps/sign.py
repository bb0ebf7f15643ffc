"""Signs between a test and an application: files in the directory $E2E_DIR.

An application that must be at a certain point before the test goes on gives a sign
there; one that must not go on before the test has seen something awaits one.
"""

import os
import time

DIRECTORY = os.environ.get("E2E_DIR", "")
PATIENCE = 60


def give(name, text=""):
    path = os.path.join(DIRECTORY, name)
    temporary = "%s.%d" % (path, os.getpid())
    with open(temporary, "w") as file:
        file.write(text)
    os.rename(temporary, path)


def append(name, line):
    """Adds a line; lines of several processes do not mix."""
    with open(os.path.join(DIRECTORY, name), "ab", buffering=0) as file:
        file.write(line.encode() + b"\n")


def given(name):
    return os.path.exists(os.path.join(DIRECTORY, name))


def wait(name):
    deadline = time.monotonic() + PATIENCE
    while not given(name):
        if time.monotonic() > deadline:
            raise TimeoutError("no sign %r within %d s" % (name, PATIENCE))
        time.sleep(0.002)
