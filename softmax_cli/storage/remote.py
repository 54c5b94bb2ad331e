"""Files in object stores and on other machines: `s3://`, `gs://` and other addresses of fsspec."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from softmax_cli.errors import InputError, OutputError, SoftmaxCliError, UsageError
from softmax_cli.runtime.signals import make_temp, remove_temp

# Sequential reads fetch ranges that grow from the first size to the second.
_FIRST_BYTES = 1 << 16
_MOST_BYTES = 1 << 23
# How often to check whether a file has changed; also done at its end.
_CHECK_SECONDS = 5.0
# File systems on which an upload appears only once it is complete.
_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
# Uploads have parts of this size, or larger ones if there would be more parts than stores allow.
_PART_BYTES = 1 << 23
_MOST_PARTS = 9000
_Kind = type[InputError] | type[OutputError]


class RemoteFile(io.RawIOBase):
    """A file that is read in ranges, and must not change meanwhile."""

    # On the class: Python also closes a file whose construction failed.
    _copy: Path | None = None

    def __init__(self, url: str) -> None:
        """Ask for the size; read nothing."""
        super().__init__()
        self._url = url
        with filesystem_at(url) as (self._fs, self._path):
            info = self._fs.info(self._path)
            self._version = self._fs.ukey(self._path)
        if info.get("type") == "directory":
            remedy = f"name a file, or a quoted glob such as '{url.rstrip('/')}/*.csv'"
            raise InputError("is a directory", remedy, url)
        if info.get("size") is None:
            raise InputError("does not say how large it is", "fetch it first", url)
        self.size = int(info["size"])
        self._position = self._ahead_at = 0
        self._ahead, self._fetched = memoryview(b""), _FIRST_BYTES // 2
        self._checked = monotonic()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._position = max(0, (0, self._position, self.size)[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer) as view:
            room, start = view.cast("B"), self._position
            count = min(len(room), max(0, self.size - start))
            if not count:
                return 0
            inside = start - self._ahead_at
            if not 0 <= inside < len(self._ahead):
                is_sequential = inside == len(self._ahead)
                grown = min(_MOST_BYTES, 2 * self._fetched)
                self._fetched = grown if is_sequential else _FIRST_BYTES
                ahead = bytearray(min(max(count, self._fetched), self.size - start))
                self.read_at(start, memoryview(ahead))
                self._ahead, self._ahead_at, inside = memoryview(ahead), start, 0
            # Use up the last range before fetching the next: no byte is fetched twice.
            count = min(count, len(self._ahead) - inside)
            room[:count] = self._ahead[inside : inside + count]
            self._position += count
        return count

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill the buffer with the bytes from an offset on, in any thread."""
        end = min(self.size, offset + len(buffer))
        with _errors_at(self._url):
            data = self._fs.cat_file(self._path, start=offset, end=end) if end > offset else b""
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        if end == self.size or monotonic() - self._checked > _CHECK_SECONDS:
            self._check()
        return count

    def _check(self) -> None:
        self._checked = monotonic()
        with _errors_at(self._url):
            now = self._fs.ukey(self._path)
        if now != self._version:
            problem = "was written to while it was read"
            raise InputError(problem, "wait until it is whole", self._url)

    def local_copy(self) -> Path:
        """Return a copy on this machine, which is removed when the file is closed."""
        if self._copy is None:
            descriptor, self._copy = make_temp()
            os.close(descriptor)
            with _errors_at(self._url):
                self._fs.get_file(self._path, str(self._copy))
            self._check()
        return self._copy

    def close(self) -> None:
        if self._copy is not None:
            remove_temp(self._copy)
        super().close()


def upload_to(url: str) -> Callable[[Path], None]:
    """Return a function that uploads a local file, which appears whole; check the address now."""
    with filesystem_at(url, OutputError) as (fs, path):
        protocols = _protocols(fs)
        if not hasattr(fs, "put_file") or "http" in protocols:
            raise OutputError("cannot be written to", "name a place that can be", url)

    def upload(file: Path) -> None:
        part = max(_PART_BYTES, file.stat().st_size // _MOST_PARTS)
        # Few parts at a time: each is held in memory while it is sent.
        by_protocol = {"s3": {"chunksize": part, "max_concurrency": 4}, "gs": {"chunksize": part}}
        settings = next((by_protocol[name] for name in by_protocol if name in protocols), {})
        with _errors_at(url, OutputError):
            if appears_whole(fs):
                fs.put_file(str(file), path, **settings)
                return
            parent, _, name = path.rpartition("/")
            temporary = f"{parent}/.{name[:40]}.{os.urandom(8).hex()}.tmp"
            try:
                fs.put_file(str(file), temporary)
                fs.mv(temporary, path)
            except BaseException:
                with suppress(Exception):
                    fs.rm_file(temporary)
                raise

    return upload


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def appears_whole(fs: Any) -> bool:
    """Return whether an upload to a file system appears only once it is complete."""
    return not _WHOLE.isdisjoint(_protocols(fs))


@contextmanager
def filesystem_at(url: str, kind: _Kind = InputError) -> Iterator[tuple[Any, str]]:
    """Yield the file system of an address, and the path in it."""
    with _errors_at(url, kind):
        from fsspec.core import url_to_fs

        # An earlier listing may be out of date.
        fs, path = url_to_fs(url, use_listings_cache=False)
        yield fs, str(path)


@contextmanager
def _errors_at(url: str, kind: _Kind = InputError) -> Iterator[None]:
    """Turn whatever a file system raises, which need be no OSError, into an error of the place."""
    is_input = kind is InputError
    try:
        yield
    except SoftmaxCliError:
        raise
    except FileNotFoundError as error:
        problem = "no such file" if is_input else "there is no such place"
        raise kind(problem, "check the spelling", url) from error
    except ImportError as error:
        missing = error.name or "the package that knows such addresses"
        remedy = "install this program with its extra `cloud`, see docs/files.md"
        raise kind(f"needs {missing}", remedy, url) from error
    except Exception as error:
        why = getattr(error, "strerror", None) or (str(error).splitlines() or [""])[0]
        if isinstance(error, ValueError) and "Protocol not known" in why:
            remedy = "s3://, gs:// and what else fsspec has"
            raise UsageError("there are no such addresses", remedy, url) from error
        verb, why = "read" if is_input else "written", why or type(error).__name__
        problem = f"cannot be {verb}: {why}"
        raise kind(problem, "check the address, and who may use it", url) from error
