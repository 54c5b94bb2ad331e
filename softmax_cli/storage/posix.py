"""System calls for writing files."""

from __future__ import annotations

import errno
import os
import re
import select
import stat
from contextlib import suppress
from typing import BinaryIO

# A file system that cannot sync gives one of these errors.
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, getattr(errno, "ENOTSUP", errno.EINVAL))
# How much of a large file the system may keep in its cache while it is written.
_CACHED_BYTES = 1 << 26
# Paths of open files: opening such a path again would truncate a regular file.
_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|std(out|err))|/proc/self/fd/(\d+)", re.ASCII)


def descriptor_of(path: str) -> int | None:
    """Return the descriptor that a path such as `/dev/fd/3` or `/dev/stdout` names.

    >>> descriptor_of("/dev/fd/3"), descriptor_of("/dev/stdout"), descriptor_of("out.npy")
    (3, 1, None)
    """
    found = _DESCRIPTOR.fullmatch(path)
    if found is None:
        return None
    number, name, process = found.groups()
    return {"out": 1, "err": 2}[name] if name else int(number or process)


def copy_owner_and_mode(old: os.stat_result, descriptor: int) -> None:
    """Give a file the owner, the group and the permissions of the one that it will replace.

    Only root may change the owner. A group that cannot be kept gets the permissions of others.
    """
    mode = stat.S_IMODE(old.st_mode)
    if hasattr(os, "fchown"):
        for user, group in ((old.st_uid, -1), (-1, old.st_gid)):
            with suppress(OSError):
                os.fchown(descriptor, user, group)
        if os.fstat(descriptor).st_gid != old.st_gid:
            mode = mode & ~0o2070 | (mode & 0o7) << 3
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def sync(descriptor: int) -> None:
    """Wait until the disk has the file."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def write_all(stream: BinaryIO, data: bytes | bytearray | memoryview) -> None:
    """Write all bytes to a stream that may take some of them at a time, or not block."""
    left = memoryview(data)
    while left:
        try:
            count = stream.write(left)
        except BlockingIOError as error:
            count = error.characters_written
        if not count:
            select.select([], [stream], [])
        left = left[count or 0 :]


def flush_all(stream: BinaryIO) -> None:
    """Flush a stream that may not block."""
    while True:
        try:
            return stream.flush()
        except BlockingIOError:
            select.select([], [stream], [])


def write_back(descriptor: int, offset: int, size: int) -> None:
    """Start writing these bytes to the disk, and drop older ones from the cache.

    The sync at the end is then short, and a large file does not fill the memory.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)
        if offset > _CACHED_BYTES:
            os.posix_fadvise(descriptor, 0, offset - _CACHED_BYTES, os.POSIX_FADV_DONTNEED)
