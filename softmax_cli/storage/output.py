"""An open output: a stream, or a file that is not complete yet."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from softmax_cli.errors import OutputError
from softmax_cli.storage.compression import compressor_of
from softmax_cli.storage.filesystem import Location

_HELD_BYTES = 1 << 20
_WRITEBACK_BYTES = 1 << 23
# How much of a large file the system may keep in its cache while it is written.
_CACHED_BYTES = 1 << 26
# A file system that cannot sync gives one of these errors.
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, getattr(errno, "ENOTSUP", errno.EINVAL))


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn an OSError while bytes are written into an error that names the place."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        raise OutputError(problem, "name a place that can be", place) from error


class Target:
    """An open destination of bytes: a stream, or a file that is not complete yet.

    The first bytes for a stream are held back: an error in a short input then writes nothing.
    """

    is_terminal = False

    def __init__(
        self,
        place: str,
        stream: BinaryIO,
        *,
        is_seekable: bool = True,
        inputs: Sequence[Location] | None = None,
        is_last: bool = True,
        sync: bool = False,
    ) -> None:
        """Write to an open stream, compressed if the suffix of the place says it.

        place    how errors name it
        inputs   the inputs that become a file; None for a stream
        is_last  whether the file is complete after these bytes
        sync     whether the disk must have the file before it appears
        """
        self.place, self.stream = place, stream
        self._compressor = compressor_of(Path(place).suffix.lower())
        self._is_seekable, self._inputs = is_seekable, inputs
        self._is_last, self._sync = is_last, sync
        self._held = bytearray() if inputs is None else None
        self._written = self._flushed = 0
        self._end: int | None = None
        self._lock = Lock()

    @property
    def seekable(self) -> bool:
        """Whether bytes can be written at any offset."""
        return self._is_seekable and self._compressor is None and self.stream.seekable()

    @property
    def is_pipe(self) -> bool:
        """Whether the bytes go to a reader that cannot seek, not into a file."""
        if self._inputs is not None:
            return False
        with suppress(OSError, ValueError):
            return not stat.S_ISREG(os.fstat(self.stream.fileno()).st_mode)
        return True

    def spool(self) -> Target:
        """Return a temporary file that can be written at any offset; `send` sends it on."""
        from tempfile import TemporaryFile, gettempdir

        place = f"a temporary file in {gettempdir()}"
        with writing(place):
            stream = TemporaryFile()
        return Target(place, stream, inputs=())

    def send(self, spool: Target) -> None:
        """Write all bytes of a temporary file, and remove it."""
        with spool.stream as stream:
            stream.seek(0)
            while piece := stream.read(_HELD_BYTES):
                self.write(piece)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes after those written before."""
        if self._held is not None:
            self._held += data
            if len(self._held) <= _HELD_BYTES:
                return
            data, self._held = self._held, None
        with writing(self.place):
            self._put(data)

    def _put(self, data: bytes | bytearray | memoryview) -> None:
        if self._compressor is not None:
            data = self._compressor.compress(data)
        _write_all(self.stream, data)
        self._written += len(data)
        if self._inputs is not None and self._written - self._flushed > _WRITEBACK_BYTES:
            self.stream.flush()
            _write_back(self.stream.fileno(), self._flushed, self._written - self._flushed)
            self._flushed = self._written

    def write_at(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset of a seekable output, in any thread."""
        start, size = offset, len(data)
        with writing(self.place):
            while data:
                if hasattr(os, "pwrite"):
                    count = os.pwrite(self.stream.fileno(), data, offset)
                else:
                    with self._lock:
                        self.stream.seek(offset)
                        count = self.stream.write(data)
                offset, data = offset + count, data[count:]
        if self._inputs is not None and start + size > _WRITEBACK_BYTES:
            _write_back(self.stream.fileno(), start, size)

    def reserve(self, size: int, numbers: int) -> None:
        """Allocate the whole file, where the system can: a full disk is found before the work.

        The inputs must be large enough to hold `numbers`: a forged header could claim the disk.
        """
        if self._inputs is None or not size or not hasattr(os, "posix_fallocate"):
            return
        local = [path for path in self._inputs if isinstance(path, Path)]
        if numbers > sum(path.stat().st_size for path in local if path.is_file()):
            return
        with writing(self.place):
            try:
                os.posix_fallocate(self.stream.fileno(), 0, size)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                    raise

    def truncate(self, size: int) -> None:
        """Set the final size of a file, once all of its parts are written."""
        if self._inputs is not None and self._is_last:
            with writing(self.place):
                self.stream.flush()
                # It takes longer than to look, even where nothing changes.
                if os.fstat(self.stream.fileno()).st_size != size:
                    self.stream.truncate(size)
            self._end = size

    def finish(self) -> None:
        """Pass everything on that is held back or buffered."""
        with writing(self.place):
            if self._held:
                self._put(self._held)
            if self._compressor is not None:
                _write_all(self.stream, self._compressor.flush())
            _flush_all(self.stream)

    def close(self) -> None:
        """Close the stream."""
        # An interrupted close has closed it.
        with writing(self.place), suppress(InterruptedError):
            self.stream.close()

    def publish(self, temporary: Path, publish: Callable[[Path], object]) -> None:
        """Sync the file if it is asked for, and let it appear if it is complete."""
        self.finish()
        with writing(self.place):
            if self._is_last:
                end = self.stream.tell() if self._end is None else self._end
                size = os.fstat(self.stream.fileno()).st_size
                if size != end:
                    problem = f"holds {size} bytes, and {end} were written"
                    raise OutputError(problem, "something else changes it", self.place)
            if self._sync:
                _sync(self.stream.fileno())
            if self._is_last:
                self.close()
                publish(temporary)


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


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _write_all(stream: BinaryIO, data: bytes | bytearray | memoryview) -> None:
    """Write all bytes to a stream that may take only some of them, or not block."""
    left = memoryview(data)
    while left:
        try:
            count = stream.write(left)
        except BlockingIOError as error:
            count = error.characters_written
        if not count:
            select.select([], [stream], [])
        left = left[count or 0 :]


def _flush_all(stream: BinaryIO) -> None:
    while True:
        try:
            return stream.flush()
        except BlockingIOError:
            select.select([], [stream], [])


def _write_back(descriptor: int, offset: int, size: int) -> None:
    """Start writing these bytes to the disk, and drop older ones from the cache."""
    # The sync at the end is then short, and a large file does not fill the memory.
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)
        if offset > _CACHED_BYTES:
            os.posix_fadvise(descriptor, 0, offset - _CACHED_BYTES, os.POSIX_FADV_DONTNEED)
