"""Bytes out: standard output, devices, and files that are whole or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from softmax_cli.errors import OutputError
from softmax_cli.formats.model.options import PartOptions
from softmax_cli.runtime.signals import register_temp, unregister_temp
from softmax_cli.storage.filesystem import Location, is_remote
from softmax_cli.storage.identity import refuse_input
from softmax_cli.storage.posix import (
    Compressor,
    compressor_of,
    descriptor_of,
    flush_whole,
    regular_size,
    status_of,
    sync,
    take_over,
    write_back,
    write_whole,
)
from softmax_cli.storage.temporary import temporary_name

if TYPE_CHECKING:
    from softmax_cli.storage.remote import Upload

_HELD_BYTES = 1 << 20
_WRITEBACK_BYTES = 1 << 23


class Target:
    """Where output goes: standard output, a device, or a file that appears when it is whole."""

    def __init__(
        self,
        destination: str,
        inputs: Sequence[Location] = (),
        *,
        in_place: bool = False,
        part: PartOptions | None = None,
    ) -> None:
        """Name the destination; `-` is standard output. It is open within a `with` block.

        A `part` of a file is written to where the others are, until the last lets it appear.
        """
        self._part = part
        self._is_whole = part is None or part.ends
        self._descriptor = descriptor_of(destination)
        self._is_standard_output = destination == "-" or self._descriptor == 1
        self._destination = "-" if self._is_standard_output else destination
        self.place = "standard output" if self._is_standard_output else destination
        self._inputs = inputs
        self._temporary: Path | None = None
        self._final = Path(destination)
        self._compressor: Compressor | None = None
        # What cannot be taken back is held back at first, so that an error in a short input
        # leaves nothing there either.
        self._held: bytearray | None = bytearray()
        self._written = self._begun = 0
        self._end: int | None = None
        self._upload: Upload | None = None
        self._lock = Lock()
        self._raw: BinaryIO
        refuse_input(self._destination, inputs, in_place=in_place)

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
            self._raw = sys.stdout.buffer
            return
        compressor = compressor_of(self._final.suffix.lower())
        with self.writing():
            self._open_file()
        self._compressor = compressor

    def _open_file(self) -> None:
        if is_remote(self._destination):
            from softmax_cli.storage.remote import Upload

            self._upload = Upload(self._destination)
            self._open_new(self._upload.temporary, 0o600)
            return
        if self._descriptor is not None:
            self._raw = open(os.dup(self._descriptor), "wb")  # noqa: PTH123
            return
        old = status_of(self._destination)
        if old is None and self._destination.endswith("/"):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if old is not None and not stat.S_ISREG(old.st_mode):
            self._raw = open(self._destination, "wb")  # noqa: PTH123
            return
        # The file that a symbolic link names is replaced, not the link.
        self._final = Path(os.path.realpath(self._destination))
        # One that may not be written is not replaced either.
        if old is not None and not os.access(self._final, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if self._part is not None:
            self._temporary = Path(self._part.shared)
            self._held = None
            self._raw = open(self._temporary, "r+b", opener=_open_or_make)
            if old is not None and self._is_whole:
                take_over(self._raw.fileno(), old)
            return
        # Others may read what replaces a file when it has that one's permissions, not before.
        self._open_new(temporary_name(self._final), 0o666 if old is None else 0o600)
        if old is not None:
            take_over(self._raw.fileno(), old)

    def _open_new(self, path: Path, mode: int) -> None:
        # Known before it is made, so that a signal in between leaves no file.
        self._temporary = path
        register_temp(str(path))
        self._raw = open(path, "xb", opener=partial(os.open, mode=mode))
        self._held = None

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
        is_ours = self._compressor is None and self._descriptor is None
        return is_ours and self._raw.seekable()

    @property
    def stream(self) -> BinaryIO:
        """The file itself, for what writes nothing in another way, and no compressed file."""
        return self._raw

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes."""
        if self._held is not None and len(self._held) + len(data) <= _HELD_BYTES:
            self._held += data
            return
        with self.writing():
            self._release()
            self._put(data)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held:
            self._put(held)

    def _put(self, data: bytes | bytearray | memoryview) -> None:
        if self._compressor is not None:
            data = self._compressor.compress(data)
        write_whole(self._raw, data)
        self._written += len(data)
        if self._written - self._begun > _WRITEBACK_BYTES and self._temporary is not None:
            self._raw.flush()
            write_back(self._raw.fileno(), self._begun, self._written - self._begun)
            self._begun = self._written

    def reserve(self, size: int, numbers: int) -> None:
        """Claim room for the whole file before it is written, where the system can.

        A full disk is then known before the work, and two threads leave no holes to fill. The
        `numbers` that the inputs say they hold must be there, or a header of a few bytes could
        claim a whole disk.
        """
        if self._temporary is None or not size or not hasattr(os, "posix_fallocate"):
            return
        if numbers > sum(regular_size(path) for path in self._inputs if isinstance(path, Path)):
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
            if self._temporary is not None:
                write_back(self._raw.fileno(), offset, len(data))

    def _write_at(self, offset: int, data: memoryview) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._raw.fileno(), data, offset)
        with self._lock:
            self._raw.seek(offset)
            return self._raw.write(data)

    def truncate(self, size: int) -> None:
        """Let the file end here."""
        with self.writing():
            if self._temporary is not None and self._is_whole:
                self._raw.truncate(size)
                self._end = size

    def _commit(self) -> None:
        with self.writing():
            self._release()
            if self._compressor is not None:
                write_whole(self._raw, self._compressor.flush())
            flush_whole(self._raw)
            if not self._is_whole:
                sync(self._raw.fileno())
            elif self._temporary is not None:
                self._check_size()
                sync(self._raw.fileno())
                self._close()
                self._appear(self._temporary)
                unregister_temp(str(self._temporary))
                self._temporary = None
            elif not self._is_standard_output:
                self._close()

    def _appear(self, temporary: Path) -> None:
        if self._upload is None:
            temporary.replace(self._final)
        else:
            self._upload.send()
            temporary.unlink()

    def _check_size(self) -> None:
        """Refuse a file that does not end where the last byte was written."""
        end = self._raw.tell() if self._end is None else self._end
        size = os.fstat(self._raw.fileno()).st_size
        if size != end:
            problem = f"holds {size} bytes, and {end} were written"
            raise OutputError(problem, "something else changes it", self.place)

    def _close(self) -> None:
        # Interrupted or not, it is closed.
        with contextlib.suppress(InterruptedError):
            self._raw.close()

    def _abandon(self) -> None:
        """Let go of everything; of a file that is committed nothing is left to let go of."""
        if not self._is_standard_output:
            # The error that is under way is the one to tell, not a second one.
            with contextlib.suppress(OSError, AttributeError):
                self._raw.close()
        if self._temporary is not None and self._is_whole:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            unregister_temp(str(self._temporary))


def _open_or_make(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o666)
