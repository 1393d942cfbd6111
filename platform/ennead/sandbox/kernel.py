"""The kernel's ways of giving rights up, by ctypes: namespaces, Landlock, system-call filters.

Nothing here decides anything; see :mod:`ennead.sandbox.confine`. Linux only; each function returns
whether the kernel agreed. Standard library only, because it runs before anything else is loaded.

Notes
-----
user_namespaces(7), landlock(7) (kernel 5.13), seccomp(2); Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Iterable
from typing import Final

_CLONE_NEWUTS, _CLONE_NEWIPC = 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CLONE_THREAD: Final = 0x00010000
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_PR_CAPBSET_DROP: Final = 24
_SECCOMP_MODE_FILTER: Final = 2

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ: Final = 0b1101  # execute (map), read a file, read a directory
_FILE_ONLY: Final = 0b1100_0000_0000_0111
#: Rights by the ABI that brought them: 13 file-system rights, then refer, truncate, ioctl.
_RIGHTS: Final = ((1, 0x1FFF), (2, 0x2000), (3, 0x4000), (5, 0x8000))

#: Numbers of system calls: x86_64, aarch64 (None: not there).
_CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    # network, other processes, running programs
    "socket": (41, 198),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # what Landlock lets pass: owners, modes, times, extended attributes
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    # the system's own
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
}
_CLONE, _CLONE3, _KILL, _TGKILL, _PRCTL = (56, 220), (435, 435), (62, 129), (234, 131), (157, 167)
#: Machine → (AUDIT_ARCH, column of the tables above).
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent_pid: int) -> None:
    """Be killed when the parent's thread that started us ends."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def leave_network() -> bool:
    """A network, IPC and host-name namespace of our own, with nothing in it.

    Without privileges by way of a user namespace, in which we are nobody; as root also without.
    """
    own = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    libc = _libc()
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(own | _CLONE_NEWUSER) == 0:
        try:
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"65534 {uid} 1")
            _write("/proc/self/gid_map", f"65534 {gid} 1")
        except OSError:
            return True  # unmapped: nobody in there as well
        return True
    return bool(libc.unshare(own) == 0)


def drop_privileges() -> bool:
    """Give up every capability for good; nothing that is started can gain any."""
    libc = _libc()
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("<Ii", 0x20080522, 0)
    gone = libc.capset(header, bytes(24)) == 0
    return bool(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and gone)


def restrict_files(readable: Iterable[str], writable: Iterable[str]) -> bool:
    """Landlock: from now on only these files and folders can be opened.

    Parameters
    ----------
    readable, writable : iterable of str
        Files or folders with everything below; those that do not exist are passed over. What is
        writable may be read, too.

    Notes
    -----
    Holds for the calling thread and those that it starts: call it before there are others.
    """
    libc = _libc()
    libc.syscall.restype = ctypes.c_long
    abi = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if abi < 1:
        return False
    handled = sum(bits for since, bits in _RIGHTS if abi >= since)
    attributes = struct.pack("<Q", handled)
    if abi >= 4:
        attributes += struct.pack("<Q", 0b11)  # TCP: bind, connect
    if abi >= 6:
        attributes += struct.pack("<Q", 0b11)  # abstract sockets, signals
    ruleset = libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for rights, paths in ((_READ, readable), (handled, writable)):
            for path in paths:
                if not _allow(libc, ruleset, path, rights & handled):
                    return False
        return bool(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def filter_calls() -> bool:
    """Seccomp: no sockets, no programs, no processes, no signals to others, no changes of modes."""
    machine = _MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        return False
    program = _program(*machine)

    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))

    bound = Filter(len(program) // 8, program)
    libc = _libc()
    pointer = ctypes.byref(bound)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer, 0, 0) == 0)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> bool:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        if not os.path.isdir(path):
            rights &= _FILE_ONLY
        rule = struct.pack("<Qi", rights, descriptor)
        return bool(libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0) == 0)
    finally:
        os.close(descriptor)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _program(architecture: int, column: int) -> bytes:
    """The filter: load, compare, answer (linux/filter.h, linux/seccomp.h)."""
    allow = _statement(0x06, 0x7FFF0000)
    refuse = _statement(0x06, 0x00050000 | errno.EPERM)
    absent = _statement(0x06, 0x00050000 | errno.ENOSYS)
    load_number, load_arch = _statement(0x20, 0), _statement(0x20, 4)
    load_first = _statement(0x20, 16)
    own = os.getpid()
    parts = [load_arch, _jump(0x15, architecture, 1, 0), refuse, load_number]
    parts += [_jump(0x35, 0x40000000, 0, 1), refuse]  # the x32 numbers of x86_64
    for numbers in _CALLS.values():
        if (number := numbers[column]) is not None:
            parts += [_jump(0x15, number, 0, 1), refuse]
    parts += [_jump(0x15, _CLONE3[column], 0, 1), absent]  # libc then uses clone
    # Of each of these, look at the first argument: one value or bit is let through, or is not.
    for numbers, test, value, matched, other in (
        (_CLONE, 0x45, _CLONE_THREAD, allow, refuse),
        (_KILL, 0x15, own, allow, refuse),
        (_TGKILL, 0x15, own, allow, refuse),
        (_PRCTL, 0x15, _PR_SET_PDEATHSIG, refuse, allow),
    ):
        parts += [_jump(0x15, numbers[column], 0, 4), load_first]
        parts += [_jump(test, value, 0, 1), matched, other]
    return b"".join([*parts, allow])


def _statement(code: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, 0, 0, value)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
