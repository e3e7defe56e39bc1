"""A Python without what only POSIX has: `python tests/other_system.py MODULE …` runs a module.

Modules and functions that Windows lacks are taken away, folders cannot be opened, links cannot be
made, and `msvcrt` locks bytes as Windows does. `subprocess`, `multiprocessing` and `asyncio` are
imported before: they have their own ways on Windows.
"""

import asyncio  # noqa: F401
import errno
import fcntl
import multiprocessing.popen_spawn_posix  # noqa: F401
import os
import runpy
import shutil
import signal
import struct
import subprocess
import sys
import tempfile  # noqa: F401
import types
from pathlib import Path

import psutil  # noqa: F401 - asks the system in its own ways, too

TAKEN_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog")
TAKEN_FUNCTIONS = (
    "fork", "forkpty", "setsid", "killpg", "getpgid", "setpgid", "getuid", "geteuid", "getgid",
    "fchmod", "chown", "mkfifo", "getloadavg", "statvfs", "nice",
)  # fmt: skip
TAKEN_SIGNALS = ("SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGALRM")


def lock_byte(descriptor, mode, count):
    """`msvcrt.locking`: locks `count` bytes from where the file stands, for this opening alone."""
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    # write locks need a file that may be written, which Windows does not ask for
    writable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    kind = fcntl.F_WRLCK if writable else fcntl.F_RDLCK
    asked = struct.pack("hhqqi4x", kind, os.SEEK_SET, place, count, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, asked)
    except OSError as error:
        raise PermissionError(errno.EACCES, "Permission denied") from error


def no_folders(path, flags, mode=0o777, *, dir_fd=None):
    """`os.open` of Windows: it opens no folders."""
    if dir_fd is None and not isinstance(path, int) and Path(os.fsdecode(path)).is_dir():
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return posix_open(path, flags, mode, dir_fd=dir_fd)


def refused(*_arguments, **_named):
    """What Windows refuses to who is no administrator."""
    raise OSError(1314, "A required privilege is not held by the client")


def no_probing(process, number):
    """`os.kill` of Windows ends a process whatever the signal; 0 is Ctrl-C for all of a console."""
    assert number, f"os.kill({process}, 0) is no question on Windows"
    posix_kill(process, number)


posix_open, posix_kill = os.open, os.kill
if __name__ == "__main__":
    msvcrt = types.ModuleType("msvcrt")
    msvcrt.locking, msvcrt.LK_NBLCK = lock_byte, 2
    for name in TAKEN_MODULES:
        sys.modules[name] = None
    for name in TAKEN_FUNCTIONS:
        delattr(os, name)
    for name in TAKEN_SIGNALS:
        delattr(signal, name)
    # as there: one walks by names, the other has one way to end a process
    shutil._use_fd_functions = False
    subprocess.Popen.kill = subprocess.Popen.terminate
    os.open, os.symlink, os.link, os.kill = no_folders, refused, refused, no_probing
    sys.modules["msvcrt"] = msvcrt
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
