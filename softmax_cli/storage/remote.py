"""Files in object stores and on other machines: `s3://`, `gs://` and other addresses of fsspec."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from softmax_cli.errors import InputError, OutputError, SoftmaxCliError, UsageError
from softmax_cli.runtime.signals import register_temp, unregister_temp
from softmax_cli.storage.change_check import Status

# What is read in a row is fetched in ranges that grow from the first to the second.
_FIRST_BYTES = 1 << 16
_MOST_BYTES = 1 << 23
# How often it is asked whether a file has changed, beside once at its end.
_CHECK_SECONDS = 5.0
# File systems on which what is sent appears at once when it is complete.
_WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
# Sent in parts of so many bytes, or in fewer parts than these stores allow.
_PART_BYTES = 1 << 23
_MOST_PARTS = 9000
# Keys of fsspec whose values change when a file is written again.
_VERSIONS = (
    *("LastModified", "last_modified", "updated", "mtime", "created"),
    *("ETag", "etag", "md5Hash"),
)

_Kind = type[InputError] | type[OutputError]


class RemotePath:
    """An address in an object store or on another machine; it has the methods of a LocalPath."""

    def __init__(self, url: str) -> None:
        """Name a file or a directory, or a pattern."""
        self.url = url

    def exists(self) -> bool:
        """Return whether a file or a directory exists."""
        with _filesystem(self.url, InputError) as (fs, path):
            return bool(fs.exists(path))

    def is_file(self) -> bool:
        """Return whether a file exists."""
        with _filesystem(self.url, InputError) as (fs, path):
            return bool(fs.isfile(path))

    def is_directory(self) -> bool:
        """Return whether a directory, or files whose names begin so, exist."""
        with _filesystem(self.url, InputError) as (fs, path):
            return bool(fs.isdir(path))

    def glob(self) -> list[str]:
        """Return the addresses of the files that match a pattern, in order."""
        with _filesystem(self.url, InputError) as (fs, path):
            found = fs.glob(path, detail=True).items()
            names = [name for name, info in found if info["type"] == "file"]
        scheme = self.url[: self.url.index("://") + 3]
        # As it was typed: an absolute path begins with a slash, and the name of a bucket with none.
        slash = "/" if self.url.startswith(f"{scheme}/") else ""
        return sorted(f"{scheme}{slash}{name.lstrip('/')}" for name in names)

    def status(self) -> Status | None:
        """Return the status of a file; None if there is none."""
        try:
            with _filesystem(self.url, InputError) as (fs, path):
                info = fs.info(path)
        except InputError:
            if self.is_file():
                raise
            return None
        known = [str(info[name]).strip('"') for name in _VERSIONS if info.get(name) is not None]
        return Status(path=self.url, size=int(info.get("size") or 0), modified=" ".join(known))

    def identity(self) -> tuple[int | str, ...] | None:
        """Return a value that all addresses of one file share."""
        with suppress(SoftmaxCliError), _filesystem(self.url, InputError) as (fs, path):
            return str(fs.protocol), str(path)
        return None

    def remove(self) -> None:
        """Remove a file, if it exists."""
        with suppress(SoftmaxCliError), _filesystem(self.url, OutputError) as (fs, path):
            fs.rm_file(path)

    def make_directory(self) -> list[str]:
        """Create a directory, where there are directories; return none to remove again."""
        with _filesystem(self.url, OutputError) as (fs, path):
            if not _appears_whole(fs):
                fs.makedirs(path, exist_ok=True)
        return []

    def absolute(self) -> str:
        """Return the address itself; it means the same everywhere, and as a pattern."""
        return self.url

    literal = absolute

    def join(self, name: str) -> str:
        """Return the address of a name in a directory."""
        return f"{self.url.rstrip('/')}/{name}"

    def parent(self) -> str:
        """Return the directory of a file."""
        return self.url.rpartition("/")[0]

    def name(self) -> str:
        """Return the name of a file in its directory."""
        return self.url.rpartition("/")[2]

    files = glob


class RemoteFile(io.RawIOBase):
    """A file that is read in ranges, and must not change meanwhile."""

    # Of the class: Python also closes a file that could not be made.
    _copy: Path | None = None

    def __init__(self, url: str) -> None:
        """Ask how large it is; nothing of it is read."""
        super().__init__()
        self._url = url
        with _asking(url, InputError):
            self._fs, self._path = _located(url)
            info = self._fs.info(self._path)
            self._known = self._fs.ukey(self._path)
        if info.get("type") == "directory":
            remedy = f"name a file, or a quoted glob such as '{url.rstrip('/')}/*.csv'"
            raise InputError("is a directory", remedy, url)
        if info.get("size") is None:
            raise InputError("does not say how large it is", "fetch it first", url)
        self.size = int(info["size"])
        self._position = 0
        self._ahead, self._ahead_at, self._fetched = memoryview(b""), 0, _FIRST_BYTES // 2
        self._checked = monotonic()

    def readable(self) -> bool:
        """Tell that it is."""
        return True

    def seekable(self) -> bool:
        """Tell that it is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a byte."""
        start = (0, self._position, self.size)[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, as far as there are bytes."""
        with memoryview(buffer) as view:
            room = view.cast("B")
            start, count = self._position, min(len(room), max(0, self.size - self._position))
            if not count:
                return 0
            inside = start - self._ahead_at
            if not 0 <= inside < len(self._ahead):
                self._fetch(start, count)
                inside = 0
            # What is left of the last range comes first, so that no byte is fetched twice.
            count = min(count, len(self._ahead) - inside)
            room[:count] = self._ahead[inside : inside + count]
            self._position += count
        return count

    def _fetch(self, start: int, count: int) -> None:
        in_a_row = start == self._ahead_at + len(self._ahead)
        self._fetched = min(_MOST_BYTES, 2 * self._fetched) if in_a_row else _FIRST_BYTES
        size = min(max(count, self._fetched), self.size - start)
        ahead = bytearray(size)
        self.read_at(start, memoryview(ahead))
        self._ahead, self._ahead_at = memoryview(ahead), start

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill the buffer with the bytes from there on, in any thread."""
        end = min(self.size, offset + len(buffer))
        with _asking(self._url, InputError):
            data = self._fs.cat_file(self._path, start=offset, end=end) if end > offset else b""
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        if end == self.size or monotonic() - self._checked > _CHECK_SECONDS:
            self.check()
        return count

    def check(self) -> None:
        """Raise an error if the file is no longer what it was."""
        self._checked = monotonic()
        with _asking(self._url, InputError):
            now = self._fs.ukey(self._path)
        if now != self._known:
            problem = "was written to while it was read"
            raise InputError(problem, "wait until it is whole", self._url)

    def local_copy(self) -> Path:
        """Return a copy on this machine, for what reads no other; closing takes it away."""
        if self._copy is None:
            descriptor, name = tempfile.mkstemp(prefix="softmax-cli-", suffix=".tmp")
            register_temp(name)
            self._copy = Path(name)
            os.close(descriptor)
            with _asking(self._url, InputError):
                self._fs.get_file(self._path, name)
            self.check()
        return self._copy

    def close(self) -> None:
        """Let go of it."""
        if self._copy is not None:
            with suppress(OSError):
                self._copy.unlink()
            unregister_temp(str(self._copy))
        super().close()


def upload_to(url: str) -> Callable[[Path], None]:
    """Return a function that sends a local file to an address, where it appears whole.

    An address that cannot be written to is an error at once.
    """
    with _asking(url, OutputError):
        fs, path = _located(url)
    if not hasattr(fs, "put_file") or "http" in _protocols(fs):
        raise OutputError("cannot be written to", "name a place that can be", url)

    def upload(file: Path) -> None:
        part = max(_PART_BYTES, file.stat().st_size // _MOST_PARTS)
        # Few parts at a time: each is held in memory while it is sent.
        by_protocol = {"s3": {"chunksize": part, "max_concurrency": 4}, "gs": {"chunksize": part}}
        settings = next((by_protocol[p] for p in _protocols(fs) if p in by_protocol), {})
        with _asking(url, OutputError):
            if _appears_whole(fs):
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


def _located(url: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    from fsspec.core import url_to_fs

    # What it listed before says nothing of what is there now.
    fs, path = url_to_fs(url, use_listings_cache=False)
    return fs, str(path)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _appears_whole(fs: Any) -> bool:
    return any(name in _WHOLE for name in _protocols(fs))


@contextmanager
def _filesystem(url: str, kind: _Kind) -> Iterator[tuple[Any, str]]:
    with _asking(url, kind):
        yield _located(url)


@contextmanager
def _asking(url: str, kind: _Kind) -> Iterator[None]:
    """Turn whatever a file system raises, which need be no OSError, into an error of the place."""
    does = "read" if kind is InputError else "written"
    try:
        yield
    except SoftmaxCliError:
        raise
    except FileNotFoundError as error:
        problem = "no such file" if kind is InputError else "there is no such place"
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
        problem = f"cannot be {does}: {why or type(error).__name__}"
        raise kind(problem, "check the address, and who may use it", url) from error
