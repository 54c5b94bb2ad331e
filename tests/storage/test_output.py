"""Where output goes: permissions, owners, links, what is open already, and what is refused."""

from __future__ import annotations

import os
import resource
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import OutputError, UsageError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.storage.filesystem import identity, refuse_the_same
from softmax_cli.storage.open_target import open_target
from softmax_cli.storage.output import copy_owner_and_mode
from tests.formats.rows import read, saved, write

pytestmark = pytest.mark.fast(6)

OLD = b"1,2\n3,4\n"
VALUES = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
TEXT = b"0.25,0.75\n0.5,0.5\n1.0,0.0\n"

posix = pytest.mark.skipif(os.name != "posix", reason="needs the files of POSIX")


def refused(path: str | Path) -> str:
    """Return the line that says why nothing is written there; nothing may be left there."""
    before = sorted(Path().rglob("*"))
    with pytest.raises(OutputError) as error:
        write(path, VALUES)
    assert sorted(Path().rglob("*")) == before
    return str(error.value)


# Permissions


@posix
def test_what_may_not_be_written_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    saved("x.csv", OLD)
    # The system refuses root nothing.
    monkeypatch.setattr(os, "access", lambda _, asked: asked != os.W_OK)
    assert refused("x.csv").startswith("x.csv: cannot be written: Permission denied")
    assert Path("x.csv").read_bytes() == OLD


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o2664, 0o444 | stat.S_IWUSR])
def test_owner_group_and_permissions_are_those_of_before(mode: int) -> None:
    path = Path(saved("x.csv", OLD))
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    path.chmod(mode)
    before = path.stat()
    write(path, VALUES)
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert stat.S_IMODE(after.st_mode) == mode
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


@posix
def test_who_takes_the_place_of_a_group_is_no_more_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "fchown", mock.Mock(side_effect=PermissionError(1, "no")))
    old = mock.Mock(st_mode=0o102664, st_uid=os.geteuid(), st_gid=os.getegid() + 1)
    with Path("x.csv").open("wb") as stream:
        copy_owner_and_mode(old, stream.fileno())
    assert stat.S_IMODE(Path("x.csv").stat().st_mode) == 0o644


@posix
def test_what_replaces_a_private_file_is_private_from_the_start() -> None:
    path = Path(saved("x.csv", OLD))
    path.chmod(0o600)
    with open_target("x.csv"):
        (temporary,) = Path().glob(".x.csv.*.tmp")
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600


# Names


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("d.csv", "Is a directory"),
        ("gone/x.csv", "No such file or directory"),
        ("x.csv/", "Is a directory"),
        ("y.csv/", "Not a directory"),
        (f"{'x' * 300}.csv", "File name too long"),
        ("loop.csv", "Too many levels of symbolic links"),
        ("/dev/fd/99", "Bad file descriptor"),
    ],
)
@posix
def test_where_nothing_can_be_written(name: str, why: str) -> None:
    Path("d.csv").mkdir()
    saved("y.csv", OLD)
    Path("loop.csv").symlink_to("pool.csv")
    Path("pool.csv").symlink_to("loop.csv")
    if name.startswith("/dev"):
        with pytest.raises(OutputError, match=why):
            write(name, VALUES, format="csv")
    else:
        assert refused(name) == f"{name}: cannot be written: {why}; name a place that can be"


@posix
@pytest.mark.parametrize("name", ["a\nb.csv", "\x1b[31mred.csv", "\udcff.csv", "é" * 120 + ".csv"])
def test_a_name_may_hold_anything(name: str) -> None:
    write(name, VALUES)
    write(name, VALUES)
    assert list(Path().iterdir()) == [Path(name)]


@posix
@pytest.mark.parametrize("link", ["there/y.csv", "{folder}/there/y.csv", "there/../there/y.csv"])
@pytest.mark.parametrize("old", [OLD, None])
def test_the_temporary_file_lies_beside_the_file_that_a_link_names(
    link: str, old: bytes | None, folder: Path
) -> None:
    Path("there").mkdir()
    if old is not None:
        Path("there/y.csv").write_bytes(old)
    Path("x.csv").symlink_to(link.format(folder=folder))
    with open_target("x.csv") as target:
        target.write(TEXT)
        assert len(list(Path("there").glob(".y.csv.*.tmp"))) == 1
        assert not list(Path().glob(".*.tmp"))
    assert Path("x.csv").is_symlink()
    assert Path("there/y.csv").read_bytes() == TEXT


@posix
def test_another_name_of_a_replaced_file_keeps_the_old_one() -> None:
    saved("x.csv", OLD)
    Path("y.csv").hardlink_to("x.csv")
    write("x.csv", VALUES)
    assert Path("y.csv").read_bytes() == OLD
    assert Path("x.csv").read_bytes() == TEXT


# What is open already, and what is no file


@posix
@pytest.mark.parametrize("path", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_what_is_open_already_is_written_on(path: str) -> None:
    saved("x.csv", OLD)
    inode = Path("x.csv").stat().st_ino
    with open("x.csv", "ab") as stream:  # noqa: PTH123
        write(path.format(stream.fileno()), VALUES, format="csv")
    assert Path("x.csv").read_bytes() == OLD + TEXT
    assert Path("x.csv").stat().st_ino == inode


def test_the_device_of_standard_output_is_standard_output(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    write("/dev/stdout", VALUES, format="csv")
    assert capsysbinary.readouterr().out == TEXT


@posix
def test_an_early_error_sends_nothing_into_a_pipe() -> None:
    reader, writer = os.pipe()
    result = Result("softmax", "probabilities", 2, np.dtype(np.float64))
    options = WriteOptions(output=f"/dev/fd/{writer}", format="csv")

    def stopped() -> None:
        with open_sink(result, options) as sink:
            sink.write(Block(0, VALUES, str))
            raise KeyError

    with pytest.raises(KeyError):
        stopped()
    os.close(writer)
    assert os.read(reader, 9) == b""
    os.close(reader)


@posix
@pytest.mark.parametrize("buffered", [True, False])
def test_a_pipe_that_does_not_block_is_waited_for(
    buffered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    got = bytearray()

    def drain() -> None:
        while data := os.read(reader, 50_000):
            got.extend(data)

    draining = Thread(target=drain)
    rows = np.arange(200_000.0).reshape(-1, 2)
    with open(writer, "wb", buffering=-1 if buffered else 0) as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", mock.Mock(buffer=stream))
        draining.start()
        write("-", rows, format="csv")
    draining.join()
    os.close(reader)
    assert_array_equal(np.loadtxt(got.decode().splitlines(), delimiter=","), rows)


@posix
@pytest.mark.parametrize("suffix", [".csv", ".npy", ".npz", ".csv.gz"])
def test_a_file_may_be_too_large(suffix: str) -> None:
    saved(f"x{suffix}", OLD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written: File too large"):
            write(f"x{suffix}", np.random.default_rng(0).random((2000, 2)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(Path().iterdir()) == [Path(f"x{suffix}")]
    assert Path(f"x{suffix}").read_bytes() == OLD


def _cut(path: Path) -> None:
    os.truncate(path, 5)


def _longer(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"more")


@pytest.mark.parametrize("change", [_cut, _longer])
def test_a_file_that_something_else_changes_does_not_appear(change: Callable[[Path], None]) -> None:
    def write_it() -> None:
        with open_target("x.npy") as target:
            target.write_at(0, memoryview(bytes(100)))
            target.truncate(100)
            change(next(Path().glob(".x.npy.*.tmp")))

    with pytest.raises(OutputError, match=r"x\.npy: holds \d+ bytes, and 100 were written"):
        write_it()
    assert not list(Path().iterdir())


@posix
@pytest.mark.parametrize(("held", "claimed"), [(10**6, True), (10, False)])
def test_room_is_claimed_for_what_the_inputs_hold_alone(
    held: int, claimed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header of a few bytes may speak of terabytes."""
    saved("z.npz", bytes(held))
    claim = mock.Mock()
    monkeypatch.setattr(os, "posix_fallocate", claim, raising=False)
    write("x.npy", VALUES, leading=(1000,), inputs=[Path("z.npz")])
    assert claim.called == claimed


# One file under two names


@posix
@pytest.mark.parametrize("other", ["./x.csv", "{folder}/x.csv", "link.csv", "hard.csv", "d/x.csv"])
@pytest.mark.parametrize("there", [True, False])
def test_two_names_of_one_file(other: str, there: bool, folder: Path) -> None:
    if there or other == "hard.csv":
        saved("x.csv", OLD)
        Path("hard.csv").hardlink_to("x.csv")
    Path("link.csv").symlink_to("x.csv")
    Path("d").symlink_to(".")
    other = other.format(folder=folder)
    assert identity(other) == identity("x.csv")
    with pytest.raises(UsageError, match="--b: is as --a"):
        refuse_the_same([("--a", "x.csv"), ("--b", other)], "is as {first}", "")


@posix
def test_two_files_are_not_one() -> None:
    saved("x.csv", OLD)
    saved("y.csv", OLD)
    Path("d").mkdir()
    names = ["x.csv", "y.csv", "new.csv", "newer.csv", "d/x.csv", "gone/x.csv", "/dev/null"]
    refuse_the_same([("--a", name) for name in [*names, "/dev/null"]], "", "")


@posix
def test_standard_output_may_be_an_input(monkeypatch: pytest.MonkeyPatch) -> None:
    saved("x.csv", OLD)
    with open("x.csv", "ab") as stream:  # noqa: PTH123
        text = mock.Mock(buffer=stream, fileno=stream.fileno)
        monkeypatch.setattr(sys, "stdout", text)
        for output in ("-", "/dev/stdout"):
            with pytest.raises(OutputError, match="standard output: is also an input"):
                write(output, VALUES, format="csv", inputs=[Path("x.csv")])
        write("-", VALUES, format="csv", inputs=[Path(saved("y.csv", OLD))])
    assert_array_equal(read("x.csv").values, [[1, 2], [3, 4], *VALUES])
