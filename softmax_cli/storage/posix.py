"""What is asked of the system for a file that is written."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO, Protocol

# Where a file system has no way to sync, there is nothing to wait for.
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, getattr(errno, "ENOTSUP", errno.EINVAL))

# What the system's cache keeps of a large file that is being written.
_CACHED_BYTES = 1 << 26
# Names of what is open already: to open them anew would begin a regular file again.
_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|std(out|err))|/proc/self/fd/(\d+)", re.ASCII)


def take_over(descriptor: int, old: os.stat_result) -> None:
    """Give a file the owner, the group and the permissions of the one that it will replace.

    Only root may give a file away; whoever is in the place of a group is no more than others.
    """
    mode = stat.S_IMODE(old.st_mode)
    if hasattr(os, "fchown"):
        for user, group in ((old.st_uid, -1), (-1, old.st_gid)):
            with contextlib.suppress(OSError):
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


def write_whole(stream: BinaryIO, data: bytes | bytearray | memoryview) -> None:
    """Write all of it to a stream that may take a part at a time, or have to be waited for."""
    left = memoryview(data)
    while left:
        try:
            count = stream.write(left)
        except BlockingIOError as error:
            count = error.characters_written
        if not count:
            _wait(stream)
        left = left[count or 0 :]


def flush_whole(stream: BinaryIO) -> None:
    """Let go of what a stream holds back, however long it has to be waited for."""
    while True:
        try:
            return stream.flush()
        except BlockingIOError:
            _wait(stream)


def _wait(stream: BinaryIO) -> None:
    """Wait until a pipe or a terminal that does not block takes more."""
    import select

    select.select([], [stream], [])


def write_back(descriptor: int, offset: int, size: int) -> None:
    """Let the disk begin on these bytes, and the cache let go of those of some time ago.

    The sync at the end then has little left to wait for. And a large file that stays in the cache
    costs more than its writing: the system has to find memory for all of it.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    # Advice that is not taken changes nothing.
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)
        if offset > _CACHED_BYTES:
            os.posix_fadvise(descriptor, 0, offset - _CACHED_BYTES, os.POSIX_FADV_DONTNEED)


class Compressor(Protocol):
    """Compresses what is written."""

    def compress(self, data: bytes | bytearray | memoryview, /) -> bytes: ...

    def flush(self) -> bytes: ...


def descriptor_of(destination: str) -> int | None:
    """Return the number of the open file that a path stands for, if it is of those paths."""
    found = _DESCRIPTOR.fullmatch(destination)
    if found is None:
        return None
    number, name, process = found.groups()
    return {"out": 1, "err": 2}[name] if name else int(number or process)


def compressor_of(suffix: str) -> Compressor | None:
    """Return what compresses a file with this suffix, if anything does."""
    if suffix == ".gz":
        import zlib

        # With the header of gzip, which has no time stamp: the same input gives the same bytes.
        return zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    if suffix == ".zst":
        import zstandard

        compressor: Compressor = zstandard.ZstdCompressor().compressobj()
        return compressor
    return None


def status_of(path: str) -> os.stat_result | None:
    """Return what the system knows of a file; None if it is not there."""
    try:
        return os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None


def regular_size(path: Path) -> int:
    """Return how many bytes a file holds; of a pipe nothing is known."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_size if stat.S_ISREG(status.st_mode) else 0
    return 0
