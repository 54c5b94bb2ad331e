"""Output that is whole or absent, and input that is cut short."""

from __future__ import annotations

import errno
import gc
import gzip
import importlib
import io
import os
import pkgutil
import stat
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import softmax_cli
from softmax_cli.errors import OutputError, UsageError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.storage import open_target as target
from tests.formats.rows import ARRAYS, COMPRESSIONS, TEXTS, read, refusal, saved, write

pytestmark = pytest.mark.fast(4)

OLD = b"1,2\n3,4\n"
VALUES = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
RESULT = Result("softmax", "probabilities", 2, np.dtype(np.float64))

every_suffix = pytest.mark.parametrize("suffix", [*TEXTS, *ARRAYS, ".csv.gz"])
old_or_none = pytest.mark.parametrize("old", [OLD, None])


def fail_after(blocks: int, path: str) -> None:
    """Stop with an error in the middle of the rows."""
    with open_sink(RESULT, WriteOptions(output=path)) as sink:
        for _ in range(blocks):
            sink.write(Block(0, VALUES, str))
        raise KeyError("in the middle")


def contents() -> dict[str, bytes]:
    """Return every file in the directory."""
    return {path.name: path.read_bytes() for path in Path().iterdir()}


@every_suffix
@old_or_none
@pytest.mark.parametrize("blocks", [0, 3])
def test_an_error_leaves_the_old_file_or_none(suffix: str, old: bytes | None, blocks: int) -> None:
    if old is not None:
        saved(f"x{suffix}", old)
    before = contents()
    with pytest.raises(KeyError):
        fail_after(blocks, f"x{suffix}")
    assert contents() == before


@every_suffix
def test_nothing_is_there_before_the_end(suffix: str) -> None:
    saved(f"x{suffix}", OLD)
    with open_sink(RESULT, WriteOptions(output=f"x{suffix}")) as sink:
        sink.write(Block(0, VALUES, str))
        assert Path(f"x{suffix}").read_bytes() == OLD
    assert Path(f"x{suffix}").read_bytes() != OLD
    assert list(contents()) == [f"x{suffix}"]


@every_suffix
def test_the_same_rows_give_the_same_bytes(suffix: str) -> None:
    first = write(f"x{suffix}", VALUES).read_bytes()
    with mock.patch("time.time", return_value=2e9):
        assert write(f"y{suffix}", VALUES).read_bytes() == first


# A disk that fails


class FailingFile(io.FileIO):
    """A file whose disk is full after some writes."""

    left = 0

    def write(self, data: Any) -> int:
        """Write, or fail."""
        if FailingFile.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        FailingFile.left -= 1
        return super().write(data)


def failing_open(path: Path, mode: str, opener: Any) -> io.BufferedWriter:
    """Open a file that fails, in place of the built-in function."""
    return io.BufferedWriter(FailingFile(path, mode, opener=opener), 16)


def _failing(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def failed(path: str) -> bool:
    """Write, and tell whether it failed the way a user understands."""
    try:
        write(path, VALUES)
    except OutputError as error:
        line = str(error)
    else:
        return False
    assert line.startswith(f"{path}: cannot be written: ")
    return True


@every_suffix
@old_or_none
def test_a_fault_at_any_write(
    suffix: str, old: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"x{suffix}"
    if old is not None:
        saved(name, old)
    before = contents()
    monkeypatch.setattr(target, "open", failing_open, raising=False)
    pwrite = os.pwrite

    def failing_pwrite(*arguments: Any) -> int:
        if FailingFile.left == 0:
            _failing()
        FailingFile.left -= 1
        return pwrite(*arguments)

    monkeypatch.setattr(os, "pwrite", failing_pwrite)
    for writes in range(100):
        FailingFile.left = writes
        if not failed(name):
            break
        assert contents() == before
    assert writes > 0
    assert list(contents()) == [name]


@every_suffix
@old_or_none
@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace")])
def test_a_fault_at_the_last_steps(
    suffix: str, old: bytes | None, owner: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old is not None:
        saved(f"x{suffix}", old)
    before = contents()
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, _failing)
        assert failed(f"x{suffix}")
    assert contents() == before


@pytest.mark.parametrize("path", ["nowhere/x.csv", "x.csv/y.csv"])
def test_a_directory_that_there_is_not(path: str) -> None:
    saved("x.csv", OLD)
    assert failed(path)
    assert contents() == {"x.csv": OLD}


def test_a_directory_is_no_file() -> None:
    Path("x.csv").mkdir()
    assert failed("x.csv")
    assert list(Path().iterdir()) == [Path("x.csv")]


# Permissions and links


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
@every_suffix
def test_a_new_file_has_the_permissions_of_one(suffix: str, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        path = write(f"x{suffix}", VALUES)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o604, 0o664, 0o755])
def test_a_replaced_file_keeps_its_permissions(mode: int) -> None:
    path = Path(saved("x.csv", OLD))
    path.chmod(mode)
    write(path, VALUES)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("old", [OLD, None])
def test_a_symbolic_link_stays_and_its_file_is_replaced(old: bytes | None) -> None:
    Path("there").mkdir()
    target, link = Path("there/y.csv"), Path("x.csv")
    if old is not None:
        target.write_bytes(old)
    link.symlink_to(target)
    write(link, VALUES)
    assert link.is_symlink()
    assert link.readlink() == target
    assert_array_equal(read(target).values, VALUES)
    assert list(Path("there").iterdir()) == [target]


def test_what_is_no_regular_file_is_written_to() -> None:
    write("/dev/null", VALUES, format="csv")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# Output onto an input


def _same(path: Path) -> None:
    assert path.exists()


def _symbolic(path: Path) -> None:
    path.rename("y.csv")
    path.symlink_to("y.csv")


def _hard(path: Path) -> None:
    Path("y.csv").hardlink_to(path)
    assert path.stat().st_nlink == 2


KINDS = [
    (_same, "x.csv"),
    (_same, "./x.csv"),
    (_same, "../{folder}/x.csv"),
    (_same, "{absolute}/x.csv"),
    (_symbolic, "y.csv"),
    (_symbolic, "x.csv"),
    (_hard, "y.csv"),
]


@pytest.mark.parametrize(("link", "output"), KINDS)
def test_onto_an_input(link: Callable[[Path], None], output: str, folder: Path) -> None:
    path = Path(saved("x.csv", OLD))
    saved("other.csv", OLD)
    link(path)
    output = output.format(folder=folder.name, absolute=folder)
    before = contents()
    inputs = [Path("other.csv"), path]
    with pytest.raises(OutputError) as error:
        write(output, VALUES, inputs=inputs)
    assert str(error.value).startswith(f"{Path(output)}: is also an input")
    assert "--in-place" in str(error.value)
    assert contents() == before
    write(output, VALUES, inputs=inputs, in_place=True)
    assert_array_equal(read(output).values, VALUES)
    assert set(contents()) == set(before)


def test_beside_an_input() -> None:
    saved("x.csv", OLD)
    write("y.csv", VALUES, inputs=[Path("x.csv"), Path("gone.csv")])
    assert Path("x.csv").read_bytes() == OLD
    assert_array_equal(read("y.csv").values, VALUES)


# Standard output


def test_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write("-", VALUES, format="tsv")
    assert capsysbinary.readouterr().out == b"0.25\t0.75\n0.5\t0.5\n1.0\t0.0\n"


def test_an_error_leaves_nothing_on_standard_output(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    with pytest.raises(KeyError):
        fail_after(3, "-")
    assert capsysbinary.readouterr().out == b""


def test_long_output_starts_before_the_end(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    rows = np.zeros((100_000, 2))
    with open_sink(RESULT, WriteOptions(format="csv")) as sink:
        for start in (0, len(rows)):
            sink.write(Block(start, rows, str))
        assert capsysbinary.readouterr().out.startswith(b"0.0,0.0\n")


@pytest.mark.parametrize("suffix", [".npy"])
def test_what_cannot_go_back_is_not_compressed(suffix: str) -> None:
    with pytest.raises(UsageError, match="not written compressed"):
        write(f"x{suffix}.gz", VALUES)
    assert contents() == {}


def test_a_reader_that_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdout", mock.Mock(buffer=stream))
        with pytest.raises(BrokenPipeError):
            write("-", VALUES, format="csv")


# Input that cannot be read


def test_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert refusal("-").startswith("standard input: is closed; ")


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
@pytest.mark.parametrize("form", [".csv", ".json", ".txt", ".jsonl"])
def test_a_compressed_file_cut_short_anywhere(form: str, compression: str) -> None:
    suffix = form + compression
    data = write(f"x{suffix}", np.arange(200.0).reshape(50, 4) / 7).read_bytes()
    for size in range(10, len(data), 13):
        line = refusal(saved(f"y{suffix}", data[:size]))
        assert line.startswith(f"y{suffix}: the compressed data is cut short"), size


def test_a_damaged_compressed_file() -> None:
    data = bytearray(gzip.compress(OLD * 1000))
    data[len(data) // 2] ^= 0xFF
    assert "compressed data is" in refusal(saved("x.csv.gz", bytes(data)))


def test_compressed_files_one_after_the_other_are_one() -> None:
    saved("x.csv.gz", gzip.compress(b"1,2\n") + gzip.compress(b"3,4\n"))
    assert_array_equal(read("x.csv.gz").values, [[1, 2], [3, 4]])


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compression_is_known_by_its_bytes(compression: str) -> None:
    path = write(f"x.csv{compression}", VALUES)
    assert_array_equal(read(path.rename("y.csv")).values, VALUES)
    assert_array_equal(read(Path("y.csv").rename("z")).values, VALUES)


def test_a_directory_is_not_read() -> None:
    Path("x.csv").mkdir()
    line = refusal("x.csv")
    assert line.startswith("x.csv: is a directory")
    assert "glob" in line


def test_a_file_that_went_away() -> None:
    Path("x.csv").symlink_to("gone.csv")
    assert refusal("x.csv").startswith("x.csv: no such file")


# Files are let go of


def unclosed(use: Callable[[], object]) -> list[str]:
    """Return what is said about files that were left open."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
        gc.collect()
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("suffix", TEXTS)
@pytest.mark.fast(1)
def test_a_file_that_was_read_is_closed(suffix: str, compression: str) -> None:
    path = write(f"x{suffix}{compression}", VALUES)
    assert unclosed(lambda: read(path)) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none here")
def test_a_compressed_pipe_that_was_read_is_closed() -> None:
    data = write("x.csv.gz", VALUES).read_bytes()
    os.mkfifo("pipe.csv.gz")
    writer = Thread(target=lambda: Path("pipe.csv.gz").write_bytes(data))
    writer.start()
    assert unclosed(lambda: read("pipe.csv.gz")) == []
    writer.join()


@pytest.mark.parametrize("suffix", ARRAYS)
@pytest.mark.fast(1)
def test_an_array_that_was_read_is_closed(suffix: str) -> None:
    path = write(f"x{suffix}", VALUES)
    assert unclosed(lambda: read(path)) == []


@pytest.mark.parametrize(
    ("tokens", "options"),
    [
        (["x.csv", "wide.csv"], {}),
        (["x.csv", "gone.csv"], {}),
        (["x.npy"], {"axis": 5}),
        (["x.npy"], {"header": True}),
        (["x.npz"], {"key": "gone"}),
    ],
)
@pytest.mark.fast(1)
def test_a_file_that_was_refused_is_closed(tokens: list[str], options: dict[str, Any]) -> None:
    for name in ("x.csv", "x.npy", "x.npz"):
        write(name, VALUES)
    saved("wide.csv", "1,2,3\n")
    assert unclosed(lambda: refusal(*tokens, **options)) == []


def _streams(kind: Any = io.IOBase.__base__) -> list[Any]:
    """Return every stream of the package: where one ends, Python closes it."""
    for module in pkgutil.walk_packages(softmax_cli.__path__, "softmax_cli."):
        if module.name != "softmax_cli.__main__":
            importlib.import_module(module.name)
    found = []
    for subclass in kind.__subclasses__():
        found += [subclass, *_streams(subclass)]
    return [each for each in found if each.__module__.startswith("softmax_cli.")]


@pytest.mark.slow
def test_a_stream_that_could_not_be_made_is_closed_in_silence() -> None:
    found: list[sys.UnraisableHookArgs] = []
    kinds = set(_streams())
    assert {kind.__name__ for kind in kinds} >= {"RemoteFile", "ChangeCheckedFile", "_Prepended"}
    with mock.patch("sys.unraisablehook", found.append):
        for kind in kinds:
            stream = kind.__new__(kind)
            # Before Python 3.13 its end says nothing of an error.
            stream.close()
            del stream
            gc.collect()
    assert not found


def test_a_directory_is_answered_with_a_glob_of_what_is_in_it() -> None:
    Path("empty").mkdir()
    assert refusal("empty") == "empty: is a directory; name a file, or a quoted glob"
    Path("z/more").mkdir(parents=True)
    saved("z/README", "")
    saved("z/part-0.npy", "")
    remedy = "name a file in it, or a quoted glob such as 'z/*.npy'"
    assert refusal("z") == f"z: is a directory; {remedy}"
