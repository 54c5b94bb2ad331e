"""Bytes out: standard output, devices, and files that are whole or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, cast

from softmax_cli.errors import OutputError

_HELD_BYTES = 1 << 20
_WRITEBACK_BYTES = 1 << 23
# What the system's cache keeps of a large file that is being written.
_CACHED_BYTES = 1 << 26


class Target:
    """Where output goes: standard output, a device, or a file that appears when it is whole."""

    def __init__(
        self, destination: str, inputs: Sequence[Path] = (), *, in_place: bool = False
    ) -> None:
        """Name the destination; `-` is standard output. It is open within a `with` block."""
        self._is_standard_output = destination == "-"
        self.place = "standard output" if self._is_standard_output else destination
        self._temporary: Path | None = None
        self._final = Path(destination)
        self._compressor: BinaryIO | None = None
        # What goes to standard output is held back at first, so that an error in a short input
        # leaves nothing there either.
        self._held: bytearray | None = bytearray() if destination == "-" else None
        self._written = self._begun = 0
        self._lock = Lock()
        self._raw: BinaryIO
        self.stream: BinaryIO
        if destination != "-":
            _refuse_input(self._final, inputs, in_place=in_place)

    def __enter__(self) -> Target:
        """Open the destination; whatever stops that leaves nothing behind."""
        try:
            self._open()
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Let a file that is whole appear under its name, and leave nothing of another."""
        try:
            if kind is None:
                self._commit()
        finally:
            self._abandon()

    def _open(self) -> None:
        if self._is_standard_output:
            if sys.stdout is None:
                raise OutputError("is closed", "name a file with -o", self.place)
            self._raw = self.stream = sys.stdout.buffer
            return
        suffix = self._final.suffix.lower()
        if suffix == ".zst":
            import zstandard
        with self.writing():
            self._raw = self._open_file()
        self.stream = self._raw
        if suffix == ".gz":
            import gzip

            # No time stamp: the same input gives the same bytes.
            gzipped = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", mtime=0)
            self._compressor = self.stream = cast(BinaryIO, gzipped)
        elif suffix == ".zst":
            writer = zstandard.ZstdCompressor().stream_writer(self._raw, closefd=False)
            self._compressor = self.stream = cast(BinaryIO, writer)

    def _open_file(self) -> BinaryIO:
        if self._final.exists() and not self._final.is_file():
            return self._final.open("wb")
        # The file that a symbolic link names is replaced, not the link.
        try:
            self._final = self._final.resolve()
        except RuntimeError as error:
            raise OutputError("is a link to itself", "name a file", self.place) from error
        name = f".{self._final.name[:40]}.{os.urandom(8).hex()}.tmp"
        # Known before it is made, so that a signal in between leaves no file.
        self._temporary = self._final.with_name(name)
        stream = open(self._temporary, "xb", opener=_open_private)
        self._temporary.chmod(_new_file_mode(self._final))
        return stream

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what goes wrong while bytes are written into an error that names the place."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            why = error.strerror or error
            raise OutputError(
                f"cannot be written: {why}", "name a place that can be", self.place
            ) from error

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees what is written."""
        return self._is_standard_output and sys.stdout.isatty()

    @property
    def seekable(self) -> bool:
        """Whether bytes can be written over earlier ones."""
        return self.stream is self._raw and self._raw.seekable()

    def write(self, data: bytes | memoryview) -> None:
        """Write bytes."""
        if self._held is not None and len(self._held) + len(data) <= _HELD_BYTES:
            self._held += data
            return
        with self.writing():
            self._release()
            self.stream.write(data)
            self._written += len(data)
            if self._written - self._begun > _WRITEBACK_BYTES and self.stream is self._raw:
                self._raw.flush()
                self._write_back(self._begun, self._written - self._begun)
                self._begun = self._written

    def _release(self) -> None:
        held, self._held = self._held, None
        if held:
            self.stream.write(held)

    def reserve(self, size: int) -> None:
        """Claim room for the whole file before it is written, where the system can.

        A full disk is then known before the work, and two threads leave no holes to fill.
        """
        if self._temporary is None or not size or not hasattr(os, "posix_fallocate"):
            return
        with self.writing():
            try:
                os.posix_fallocate(self._raw.fileno(), 0, size)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                    raise

    def write_at(self, offset: int, data: memoryview) -> None:
        """Write bytes at their place in a file that is not compressed; any thread may."""
        with self.writing():
            written = 0
            while written < len(data):
                written += self._write_at(offset + written, data[written:])
            self._write_back(offset, len(data))

    def _write_at(self, offset: int, data: memoryview) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._raw.fileno(), data, offset)
        with self._lock:
            self._raw.seek(offset)
            return self._raw.write(data)

    def _write_back(self, offset: int, size: int) -> None:
        """Let the disk begin on these bytes, and the cache let go of those of some time ago.

        The sync at the end then has little left to wait for. And a large file that stays in the
        cache costs more than its writing: the system has to find memory for all of it.
        """
        if self._temporary is None or not hasattr(os, "posix_fadvise"):
            return
        descriptor = self._raw.fileno()
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)
        if offset > _CACHED_BYTES:
            os.posix_fadvise(descriptor, 0, offset - _CACHED_BYTES, os.POSIX_FADV_DONTNEED)

    def truncate(self, size: int) -> None:
        """Let the file end here."""
        with self.writing():
            if self._temporary is not None:
                self._raw.truncate(size)

    def _commit(self) -> None:
        with self.writing():
            self._release()
            if self._compressor is not None:
                self._compressor.close()
            self._raw.flush()
            if self._temporary is not None:
                os.fsync(self._raw.fileno())
                self._raw.close()
                self._temporary.replace(self._final)
                self._temporary = None
            elif not self._is_standard_output:
                self._raw.close()

    def _abandon(self) -> None:
        if self._temporary is not None:
            with contextlib.suppress(OSError, AttributeError):
                self._raw.close()
            with contextlib.suppress(OSError):
                self._temporary.unlink()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _new_file_mode(path: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new one."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _refuse_input(target: Path, inputs: Sequence[Path], *, in_place: bool) -> None:
    if in_place or not target.exists():
        return
    for path in inputs:
        if path.exists() and path.samefile(target):
            raise OutputError(
                "is also an input, and is left as it is",
                "name another file, or add --in-place",
                str(target),
            )
