"""Files at addresses: read in ranges, written whole or not at all, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from numpy.testing import assert_array_equal

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.storage import remote
from softmax_cli.storage.filesystem import is_remote, path_of
from tests.running import ROOT, Outcome, run

pytestmark = pytest.mark.fast(6)

LOGITS = np.random.default_rng(0).normal(0, 4, (300, 5))


class Counting(MemoryFileSystem):  # type: ignore[misc]
    """Remembers which ranges were read, and can fail."""

    protocol = "counting"
    store: dict[str, Any] = {}  # noqa: RUF012 - as the class above has it
    pseudo_dirs = [""]  # noqa: RUF012
    ranges: list[tuple[str, int | None, int | None]] = []  # noqa: RUF012
    error: Exception | None = None
    fails_to = ""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        stripped: str = super()._strip_protocol(path.replace("counting://", "memory://"))
        return stripped

    def cat_file(self, path: str, start: Any = None, end: Any = None, **how: Any) -> bytes:
        self.ranges.append((path, start, end))
        if self.error is not None and self.fails_to == "read":
            raise self.error
        data: bytes = super().cat_file(path, start, end, **how)
        return data

    def put_file(self, lpath: str, rpath: str, **how: Any) -> None:
        super().put_file(lpath, rpath, **how)
        if self.error is not None and self.fails_to == "write":
            raise self.error

    def mv(self, path1: str, path2: str, **how: Any) -> None:
        if self.error is not None and self.fails_to == "move":
            raise self.error
        super().mv(path1, path2, **how)


fsspec.register_implementation("counting", Counting, clobber=True)


@pytest.fixture(autouse=True)
def _stores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for fs in (MemoryFileSystem, Counting):
        fs.store.clear()
        fs.pseudo_dirs[:] = [""]
    Counting.ranges.clear()
    Counting.error = None
    np.save("z.npy", LOGITS)
    np.save("y.npy", np.arange(300) % 5)
    yield
    assert list(temporary.iterdir()) == []


def _put(name: str, url: str) -> None:
    with fsspec.open(url, "wb") as stream:
        stream.write(Path(name).read_bytes())


def _bytes(url: str) -> bytes:
    with fsspec.open(url, "rb") as stream:
        data: bytes = stream.read()
    return data


def _ok(line: str) -> Outcome:
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.mark.parametrize(
    "suffix",
    [
        *(".csv", ".tsv", ".txt", ".jsonl", ".json", ".npy", ".npz", ".safetensors"),
        *(".csv.gz", ".jsonl.zst", ".parquet", ".arrow"),
    ],
)
def test_every_format_is_read_and_written(suffix: str) -> None:
    _ok(f"softmax z.npy --log -o in{suffix}")
    _put(f"in{suffix}", f"memory://folder/in{suffix}")
    _ok(f"softmax in{suffix} -o out{suffix}")
    _ok(f"softmax memory://folder/in{suffix} -o memory://folder/out{suffix}")
    assert _bytes(f"memory://folder/out{suffix}") == Path(f"out{suffix}").read_bytes()
    assert sorted(MemoryFileSystem.store) == [f"/folder/in{suffix}", f"/folder/out{suffix}"]


def test_labels_weights_losses_and_gradients() -> None:
    for name in ("z.npy", "y.npy"):
        _put(name, f"memory://{name}")
    there = "--losses memory://l.csv --grad memory://g.npy --sample-weights memory://y.npy"
    far = _ok(f"xent memory://z.npy --labels memory://y.npy {there} --format json")
    here = _ok(
        "xent z.npy --labels y.npy --losses l.csv --grad g.npy --sample-weights y.npy --format json"
    )
    assert far.out == here.out
    assert _bytes("memory://g.npy") == Path("g.npy").read_bytes()
    assert _bytes("memory://l.csv") == Path("l.csv").read_bytes()
    line = "gradcheck --logits memory://z.npy --labels memory://y.npy --sample-weights y.npy"
    assert _ok(f"{line} --grad memory://g.npy --report memory://r.xml")
    assert _bytes("memory://r.xml").startswith(b"<?xml")


def test_globs_and_shards() -> None:
    for name in ("b", "a"):
        _put("z.npy", f"memory://logits/{name}.npy")
    _ok("softmax 'memory://logits/*.npy' -o memory://both.npy")
    _ok("softmax z.npy z.npy -o both.npy")
    assert _bytes("memory://both.npy") == Path("both.npy").read_bytes()
    line = "softmax 'memory://logits/*.npy' --output-dir memory://out"
    assert _ok(line).err == "softmax-cli: 2 shards done\n"
    _ok("softmax z.npy -o one.npy")
    assert _bytes("memory://out/a.npy") == Path("one.npy").read_bytes()
    assert "2 skipped" in _ok(line).err
    _put("z.npy", "memory://logits/a.npy")
    assert "1 shard done, 1 skipped" in _ok(line).err
    manifest = json.loads(_bytes("memory://out/softmax-cli-manifest.json"))
    assert [each["input"] for each in manifest["shards"]] == [
        "memory://logits/a.npy",
        "memory://logits/b.npy",
    ]


def test_only_what_is_needed_is_fetched() -> None:
    rows = np.zeros((400_000, 5), np.float32)
    np.save("large.npy", rows)
    _put("large.npy", "counting://large.npy")
    with remote_source("counting://large.npy") as source:
        assert Counting.ranges == [("/large.npy", 0, 1 << 16)]
        blocks = source.slice_rows(_range(200_000, 200_010, 400_000)).blocks()
        assert_array_equal(next(blocks).values, rows[:10])
    fetched = sum((end or 0) - (start or 0) for _, start, end in Counting.ranges[1:])
    assert 0 < fetched < rows.nbytes / 2


def test_what_is_read_in_a_row_is_fetched_ahead_and_once() -> None:
    text = b"1.0,2.0\n" * 2_000_000
    with fsspec.open("counting://long.csv", "wb") as stream:
        stream.write(text)
    _ok("softmax counting://long.csv -o out.npy")
    sizes = [(end or 0) - (start or 0) for _, start, end in Counting.ranges]
    assert sum(sizes) == len(text)
    assert max(sizes) <= 1 << 23
    assert len(sizes) < 20


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("softmax memory://no.npy", "memory://no.npy: no such file"),
        ("softmax 'memory://no/*.npy'", "memory://no/*.npy: no such file"),
        ("softmax memory://folder", "is a directory"),
        ("softmax nonsense://a/b.npy", "there are no such addresses"),
        ("softmax z.npy -o nonsense://a/b.npy", "there are no such addresses"),
        ("softmax z.npy -o http://localhost/b.npy", "http://localhost/b.npy"),
        ("softmax memory://folder/z.npy -o memory://folder/z.npy", "is also an input"),
        ("softmax memory://folder/z.npy -o memory:///folder/z.npy", "is also an input"),
        ("xent z.npy --labels memory://no.npy", "no such file"),
        ("softmax z.npy -o memory://x", "no format has this suffix"),
    ],
)
def test_an_error_is_one_line(line: str, said: str) -> None:
    _put("z.npy", "memory://folder/z.npy")
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert list(MemoryFileSystem.store) == ["/folder/z.npy"]


def test_in_place() -> None:
    _put("z.npy", "memory://z.npy")
    _ok("softmax memory://z.npy -o memory://z.npy --in-place")
    _ok("softmax z.npy -o out.npy")
    assert _bytes("memory://z.npy") == Path("out.npy").read_bytes()


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), RuntimeError("no credentials\nmore"), KeyError("x")]
)
@pytest.mark.parametrize("fails_to", ["read", "write", "move"])
def test_whatever_a_file_system_raises_is_told(error: Exception, fails_to: str) -> None:
    _put("z.npy", "counting://z.npy")
    _put("y.npy", "counting://out.npy")
    Counting.error, Counting.fails_to = error, fails_to
    outcome = run("softmax-cli softmax counting://z.npy -o counting://out.npy")
    place = "z.npy: cannot be read: " if fails_to == "read" else "out.npy: cannot be written: "
    assert outcome.code == 2
    assert outcome.err.startswith(f"softmax-cli: counting://{place}")
    assert outcome.err.count("\n") == 1
    Counting.error = None
    # The old file is as it was, and nothing is beside it.
    assert sorted(Counting.store) == ["/out.npy", "/z.npy"]
    assert _bytes("counting://out.npy") == Path("y.npy").read_bytes()


def test_a_row_that_is_bad_leaves_nothing() -> None:
    Path("bad.csv").write_text("1,2\n" * 9 + "1,x\n")
    _put("bad.csv", "memory://bad.csv")
    outcome = run("softmax-cli softmax memory://bad.csv -o memory://out.npy")
    assert outcome.code == 2
    assert "memory://bad.csv:10:2: 'x' is not a number" in outcome.err
    assert list(MemoryFileSystem.store) == ["/bad.csv"]


def test_a_file_that_changes_while_it_is_read_is_an_error() -> None:
    _put("z.npy", "memory://z.npy")
    file = remote.RemoteFile("memory://z.npy")
    assert file.read(10) == Path("z.npy").read_bytes()[:10]
    _put("y.npy", "memory://z.npy")
    with pytest.raises(SoftmaxCliError, match="was written to while it was read"):
        file.read_at(file.size - 8, memoryview(bytearray(8)))


def test_a_file_is_read_from_any_byte() -> None:
    _put("z.npy", "memory://z.npy")
    data = Path("z.npy").read_bytes()
    file = remote.RemoteFile("memory://z.npy")
    assert (file.seek(-5, 2), file.read(9)) == (len(data) - 5, data[-5:])
    assert (file.seek(7), file.tell(), file.read(3), file.seek(2, 1)) == (7, 7, data[7:10], 12)
    assert file.read() == data[12:]


def test_places() -> None:
    _put("z.npy", "memory://a/z.npy")
    status = path_of("memory://a/z.npy").status()
    assert status is not None
    assert status["size"] == Path("z.npy").stat().st_size
    assert path_of("memory://a/no").status() is None
    assert path_of("memory://a").is_directory()
    assert not path_of("memory://a/z.npy").is_directory()
    assert path_of("memory://a/*").files() == ["memory://a/z.npy"]
    assert path_of("memory:///a/*").files() == ["memory:///a/z.npy"]
    assert path_of("s3://b/c/").join("d") == "s3://b/c/d"
    assert (path_of("s3://b/c/d").parent(), path_of("s3://b/c/d").name()) == ("s3://b/c", "d")
    path_of("memory://a/z.npy").remove()
    path_of("memory://a/z.npy").remove()
    assert path_of("memory://a/z.npy").status() is None


@pytest.mark.parametrize("token", ["C:/a.npy", r"C:\a", "module:name", "a/b://c", "-", "", "1,2"])
def test_what_is_no_address(token: str) -> None:
    assert not is_remote(token)


def test_what_a_driver_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    outcome = run("softmax-cli softmax s3://bucket/z.npy")
    assert outcome.code == 2
    assert "needs fsspec.core; install this program with its extra `cloud`, see docs/files.md" in (
        outcome.err
    )


def test_nothing_of_it_is_imported_without_an_address() -> None:
    script = (
        "import sys; from softmax_cli.__main__ import main; "
        "main(['softmax', 'z.npy', '-o', 'out.npy']); "
        "main(['softmax', 'z.npy', '--output-dir', 'out']); "
        "print(*(m for m in sys.modules if m.split('.')[0] in ('fsspec', 'dask', 'distributed')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "\n"
    assert Path("out/z.npy").exists()


def remote_source(url: str) -> Any:
    """Open an address as a source."""
    from softmax_cli.formats.model.options import ReadOptions
    from softmax_cli.formats.opening.source import open_source

    return open_source([url], ReadOptions())


def _range(start: int, stop: int, of: int) -> Any:
    from softmax_cli.formats.model.blocks import RowRange

    return RowRange(start, stop, of)


@pytest.mark.parametrize(
    ("address", "parent"),
    [
        ("memory://a.npy", "memory://"),
        ("memory:///a.npy", "memory://"),
        ("memory://folder/a.npy", "memory://folder"),
        ("s3://bucket/folder/a.npy", "s3://bucket/folder"),
    ],
)
def test_the_parent_of_an_address_is_an_address(address: str, parent: str) -> None:
    assert path_of(address).parent() == parent
