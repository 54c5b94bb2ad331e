"""What is measured against what: one declaration a pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.inputs import Input, Kind

Command = tuple[str, ...]

_LARGE = ((250_000, 1000), (25_000_000, 10), (5_000, 50_257))
_TWO = ("--threads", "2")
_IMPORTS_ALL = ("python", "-c", "import numpy, typer")
_IMPORTS_TYPER = ("python", "-c", "import typer")


@dataclass(frozen=True)
class Pair:
    """Our command and the peer's, run in the folder of the inputs.

    target  the largest ratio of their times that we want, if there is one
    needs   the modules without which the peer cannot run
    share   how many times --runs it is run; 0 is once
    fresh   whether the outputs of the run before are deleted first
    """

    name: str
    ours: Command
    peer: Command
    target: float | None = None
    inputs: tuple[Input, ...] = ()
    needs: tuple[str, ...] = ()
    share: int = 1
    fresh: bool = False

    def runs(self, runs: int) -> int:
        """How many runs of each command are counted."""
        return max(1, runs * self.share)


@dataclass(frozen=True)
class Peak:
    """Our command, whose memory is measured in one run, and the most MiB that we want."""

    name: str
    ours: Command
    limit: int
    input: Input


def pairs(scale: float) -> list[Pair]:
    """Return every pair, the rows of the inputs multiplied by the scale."""
    return [
        *_softmax_and_copy(scale),
        *_softmax_and_libraries(scale),
        *_cross_entropy(scale),
        *_gradient_files(scale),
        *_jacobian(scale),
        *_csv(scale),
        *_json_lines(scale),
        *_parquet(scale),
        *_lists(scale),
        *_start(),
    ]


def peaks(scale: float) -> list[Peak]:
    """Return the runs whose memory is measured."""

    def peak(name: str, limit: int, kind: Kind, rows: int, columns: int) -> Peak:
        logits = _scaled(scale, kind, rows, columns)
        output = "ours.csv" if kind == "csv" else "ours.npy"
        return Peak(name, ("softmax-cli", "softmax", logits.name, "-o", output), limit, logits)

    return [
        peak("peak-npy-200MB", 100, "float32", 50_000, 1000),
        peak("peak-npy-1GB", 100, "float32", 250_000, 1000),
        peak("peak-npy-4GB", 100, "float32", 1_000_000, 1000),
        peak("peak-csv-190MB", 350, "csv", 1_000_000, 10),
        peak("peak-csv-1.9GB", 350, "csv", 10_000_000, 10),
    ]


def _scaled(scale: float, kind: Kind, rows: int, columns: int) -> Input:
    return Input(kind, max(1, round(rows * scale)), columns)


def _softmax_and_copy(scale: float) -> Iterator[Pair]:
    kinds: tuple[tuple[Kind, int], ...] = (("float32", 1), ("float64", 2))
    for kind, divisor in kinds:
        for rows, columns in _LARGE:
            logits = _scaled(scale, kind, rows // divisor, columns)
            name = f"softmax-{kind}-{rows // divisor}x{columns}-cp"
            ours = ("softmax-cli", "softmax", logits.name, "-o", "ours.npy")
            plain = ("cp", logits.name, "peer.npy")
            synced = ("sh", "-c", f"cp {logits.name} peer.npy && sync -d peer.npy")
            yield Pair(f"{name}-sync", ours, synced, 1.2, (logits,))
            yield Pair(f"{name}-sync-fresh", ours, synced, 1.2, (logits,), fresh=True)
            yield Pair(name, (*ours, "--no-sync"), plain, None, (logits,))


def _softmax_and_libraries(scale: float) -> Iterator[Pair]:
    logits = _scaled(scale, "float32", 250_000, 1000)
    for library in ("scipy", "torch"):
        yield Pair(
            f"softmax-{library}",
            ("softmax-cli", "softmax", logits.name, "-o", "ours.npy"),
            ("python", f"benchmarks/peers/softmax_{library}.py", logits.name, "peer.npy"),
            None,
            (logits,),
            (library,),
        )


def _cross_entropy(scale: float) -> Iterator[Pair]:
    logits = _scaled(scale, "float32", 250_000, 1000)
    labels = _scaled(scale, "labels", 250_000, 1000)
    ours = ("softmax-cli", "xent", logits.name, "--labels", labels.name)
    torch = ("python", "benchmarks/peers/cross_entropy_torch.py", logits.name, labels.name)
    softmax = ("softmax-cli", "softmax", logits.name, "-o", "peer.npy")
    inputs = (logits, labels)
    yield Pair("xent-torch", ours, torch, 0.14, inputs, ("torch",))
    losses = (*ours, "--losses", "ours.npy")
    yield Pair("xent-losses-torch", losses, (*torch, "peer.npy"), 0.14, inputs, ("torch",))
    yield Pair("xent-cat", ours, ("sh", "-c", f"cat {logits.name} >/dev/null"), 5, inputs)
    yield Pair("xent-two-threads-one", (*ours, *_TWO), (*ours, "--threads", "1"), 0.7, inputs)
    yield Pair("xent-grad-softmax", (*ours, "--grad", "ours.npy"), softmax, 1.15, inputs)
    # These logits are read six times.
    fit = (*ours, "--fit-temperature", "--quiet")
    yield Pair("xent-fit-temperature-xent", fit, ours, 12, inputs)
    few = _scaled(scale, "float32", 25_000_000, 10), _scaled(scale, "labels", 25_000_000, 10)
    of_few = ("softmax-cli", "xent", few[0].name, "--labels", few[1].name)
    yield Pair("xent-ten-classes-thousand", of_few, ours, 1.5, (*few, *inputs))


def _gradient_files(scale: float) -> Iterator[Pair]:
    logits = _scaled(scale, "float32", 250_000, 1000)
    labels = _scaled(scale, "labels", 250_000, 1000)
    gradients = _scaled(scale, "gradients", 250_000, 1000)
    inputs = (logits, labels, gradients)
    names = [wanted.name for wanted in inputs]
    options = ("--logits", logits.name, "--labels", labels.name, "--grad", gradients.name)
    ours = ("softmax-cli", "gradcheck", *options)
    torch = ("python", "benchmarks/peers/gradient_check_torch.py", *names)
    yield Pair("gradcheck-file-torch", ours, torch, 0.14, inputs, ("torch",))
    reading = ("sh", "-c", f"cat {logits.name} {gradients.name} >/dev/null")
    yield Pair("gradcheck-file-cat", ours, reading, 5, inputs)


def _jacobian(scale: float) -> Iterator[Pair]:
    points = _scaled(scale, "float32", 25_000, 100)
    count = -(-4 * points.rows * points.columns**2 // 2**20)
    zeros = ("dd", "if=/dev/zero", "of=peer.npy", "bs=1048576", f"count={count}", "conv=fdatasync")
    ours = ("softmax-cli", "jacobian", points.name, "-o", "ours.npy")
    yield Pair("jacobian-dd-fdatasync", ours, zeros, 1.1, (points,))
    logits = _scaled(scale, "float32", 250_000, 1000)
    vector = Input("vector", 1, 1000)
    for product in ("vjp", "jvp"):
        yield Pair(
            f"jacobian-{product}-softmax",
            ("softmax-cli", "jacobian", logits.name, f"--{product}", vector.name, "-o", "ours.npy"),
            ("softmax-cli", "softmax", logits.name, "-o", "peer.npy"),
            1.15,
            (logits, vector),
        )


def _csv(scale: float) -> Iterator[Pair]:
    for rows, columns in ((1_000_000, 10), (10_000, 1000)):
        logits = _scaled(scale, "csv", rows, columns)
        ours = ("softmax-cli", "softmax", logits.name, "-o", "ours.csv")
        copy = f"import polars; polars.read_csv('{logits.name}').write_csv('peer.csv')"
        pandas = ("python", "benchmarks/peers/csv_pandas.py", logits.name, "peer.csv")
        name = f"csv-{rows}x{columns}"
        yield Pair(f"{name}-polars", ours, ("python", "-c", copy), 1.3, (logits,), ("polars",))
        needs = ("pandas", "scipy")
        yield Pair(f"{name}-pandas", ours, pandas, 0.1, (logits,), needs, share=0)


def _json_lines(scale: float) -> Iterator[Pair]:
    kinds: tuple[Kind, ...] = ("jsonl", "records")
    for rows, columns in ((1_000_000, 10), (10_000, 1000)):
        for kind in kinds:
            lines = _scaled(scale, kind, rows, columns)
            table = _scaled(scale, "csv", rows, columns)
            ours = ("softmax-cli", "softmax", lines.name, "-o", "ours.jsonl")
            peer = ("softmax-cli", "softmax", table.name, "-o", "peer.csv")
            yield Pair(f"{kind}-{rows}x{columns}-csv", ours, peer, 2, (lines, table), ("polars",))


def _parquet(scale: float) -> Iterator[Pair]:
    copy = "import pyarrow.parquet as p; p.write_table(p.read_table('{}'), 'peer.parquet')"
    kinds: tuple[Kind, ...] = ("columns", "lists")
    for kind in kinds:
        logits = _scaled(scale, kind, 500_000, 100)
        ours = ("softmax-cli", "softmax", logits.name, "-o", "ours.parquet")
        peer = ("python", "-c", copy.format(logits.name))
        needs = ("polars", "pyarrow")
        yield Pair(f"parquet-{kind}-500000x100-pyarrow", ours, peer, 1.2, (logits,), needs)


def _lists(scale: float) -> Iterator[Pair]:
    lists = _scaled(scale, "lists", 500_000, 100)
    columns = _scaled(scale, "columns", 500_000, 100)
    labels = _scaled(scale, "labels", 500_000, 100)
    for name, words, inputs in (
        ("softmax", ("-o", "{}.npy"), ()),
        ("xent", ("--labels", labels.name), (labels,)),
    ):
        ours, peer = (
            ("softmax-cli", name, logits.name, *(word.format(side) for word in words))
            for side, logits in (("ours", lists), ("peer", columns))
        )
        inputs = (lists, columns, *inputs)
        yield Pair(f"parquet-lists-{name}-columns", ours, peer, 1.3, inputs, ("polars",))


def _start() -> Iterator[Pair]:
    vector = ("softmax-cli", "softmax", "1", "2", "3")
    table = (*vector, "--format", "table")
    loss = ("softmax-cli", "xent", "1", "2", "3", "--labels", "2")
    few = Input("csv", 10, 3)
    csv = ("softmax-cli", "softmax", few.name)
    yield Pair("start-pipe", vector, _IMPORTS_ALL, 1.12, share=3)
    yield Pair("start-table", table, _IMPORTS_ALL, 1.35, share=3)
    yield Pair("start-xent", loss, _IMPORTS_ALL, 1.2, share=3)
    yield Pair("start-version", ("softmax-cli", "--version"), _IMPORTS_TYPER, 1.3, share=3)
    yield Pair("start-help", ("softmax-cli", "softmax", "-h"), _IMPORTS_TYPER, 1.3, share=3)
    yield Pair("start-csv", csv, _IMPORTS_ALL, None, (few,), share=3)
