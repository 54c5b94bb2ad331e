"""Makes the inputs, runs every pair in turn and prints the tables of times and of memory.

    pip install -e '.[benchmarks]'
    python -m benchmarks --markdown

At full size it wants 20 GB of disk, in the folder for temporary files if none is named; with
`--scale 0.02` it shows quickly whether everything runs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks import report
from benchmarks.measure import CommandError, clean, measure, missing, own_peak, run_once
from benchmarks.pairs import Pair, Peak, pairs, peaks


@dataclass
class Benchmark:
    """What is measured, and where the inputs are kept, if they are."""

    pairs: list[Pair]
    peaks: list[Peak]
    folder: Path
    runs: int
    keep: bool
    markdown: bool
    skipped: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Print the tables, a line as soon as it is known, and the commands that were run."""
        self._measure_times()
        self._measure_memory()
        if self.skipped:
            reasons = (f"- {name}: {why}" for name, why in self.skipped.items())
            print("\nSkipped:\n", *reasons, sep="\n")
        lines = report.commands(
            [pair for pair in self.pairs if pair.name not in self.skipped],
            [peak for peak in self.peaks if peak.name not in self.skipped],
        )
        fence = ["```"] if self.markdown else []
        print("\nCommands, run in the folder of the inputs, which --folder keeps:\n")
        print(*fence, *lines, *fence, sep="\n")

    def _measure_times(self) -> None:
        if not self.pairs:
            return
        names = [pair.name for pair in self.pairs]
        table = report.Table(report.PAIR_HEADINGS, names, markdown=self.markdown)
        for index, pair in enumerate(self.pairs):
            absent = missing(pair)
            if absent:
                self.skipped[pair.name] = f"no {absent}"
                continue
            for wanted in pair.inputs:
                wanted.make(self.folder)
            measured = measure(pair, pair.runs(self.runs), self.folder)
            table.add(report.pair_cells(pair, measured, own_peak()))
            self._tidy(self.pairs[index + 1 :], self.peaks)

    def _measure_memory(self) -> None:
        if not self.peaks:
            return
        names = [peak.name for peak in self.peaks]
        table = report.Table(report.PEAK_HEADINGS, names, markdown=self.markdown)
        for index, peak in enumerate(self.peaks):
            # The input, the output, and room to spare.
            if shutil.disk_usage(self.folder).free < 2.5 * peak.input.size:
                self.skipped[peak.name] = "too little free disk"
                continue
            peak.input.make(self.folder)
            table.add(report.peak_cells(peak, run_once(peak.ours, self.folder), own_peak()))
            self._tidy([], self.peaks[index + 1 :])

    def _tidy(self, pairs: Sequence[Pair], peaks: Sequence[Peak]) -> None:
        """Delete the outputs, and the inputs that nothing to come needs, unless they are kept."""
        clean(self.folder, "ours", "peer")
        if not self.keep:
            needed = {wanted.name for pair in pairs for wanted in pair.inputs}
            needed |= {peak.input.name for peak in peaks}
            for path in self.folder.iterdir():
                if path.name not in needed:
                    path.unlink()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=_count, default=5, metavar="N", help="counted runs of each")
    parser.add_argument("--only", default="", metavar="PATTERN", help="names, with * if need be")
    parser.add_argument("--scale", type=_factor, default=1.0, metavar="F", help="multiplies rows")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keeps the inputs for next time")
    parser.add_argument("--markdown", action="store_true", help="tables for a README")
    parser.add_argument("--list", action="store_true", help="print what would be run, and end")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def _factor(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _say_beforehand(runs: int, scale: float, *, markdown: bool) -> None:
    bullet = "- " if markdown else ""
    for name, value in report.facts().items():
        print(f"{bullet}{name}: {value}")
    print()
    for sentence in report.method(runs, scale):
        print(f"{bullet}{sentence}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return its exit code."""
    options = _options(arguments)
    pattern = f"*{options.only}*"
    chosen = [pair for pair in pairs(options.scale) if fnmatchcase(pair.name, pattern)]
    watched = [peak for peak in peaks(options.scale) if fnmatchcase(peak.name, pattern)]
    if not chosen and not watched:
        print(f"no name is like {options.only}; --list prints them", file=sys.stderr)
        return 2
    if options.list:
        print(*report.commands(chosen, watched), sep="\n")
        return 0
    with ExitStack() as stack:
        if options.folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = options.folder
            folder.mkdir(parents=True, exist_ok=True)
        _say_beforehand(options.runs, options.scale, markdown=options.markdown)
        keep = options.folder is not None
        benchmark = Benchmark(chosen, watched, folder, options.runs, keep, options.markdown)
        try:
            benchmark.run()
        except CommandError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            clean(folder, "ours", "peer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
