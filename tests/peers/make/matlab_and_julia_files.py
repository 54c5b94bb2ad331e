"""Writes the folders `matlab` and `julia`, in the forms that their documentation gives.

    python -m tests.peers.make.matlab_and_julia_files

MATLAB: `writematrix` and `writetable` write CSV with up to 15 digits, `save -ascii` 8 digits behind
blanks. Julia: `writedlm` of DelimitedFiles separates cells by tabs or by the delimiter it is given,
and prints floats as `2.0`, `NaN` and `-Inf`; CSV.jl leaves the cell of `missing` empty. Both count
labels from 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.peers.rows import FILES, LABELS, LOGITS, NAMES, SPECIES


def main(folder: Path = FILES) -> None:
    """Write the files."""
    matlab, julia = folder / "matlab", folder / "julia"
    labels = [str(label + 1) for label in LABELS]
    rows = [[f"{logit:.15g}" for logit in row] for row in LOGITS]
    floats = [[str(float(logit)) for logit in row] for row in LOGITS]
    tables = {
        matlab / "writematrix.csv": (",".join(row) for row in rows),
        matlab / "labels.csv": labels,
        matlab / "writetable.csv": (
            ",".join([*row, name])
            for row, name in zip([NAMES, *rows], ["label", *SPECIES], strict=True)
        ),
        matlab / "ascii.txt": ("".join(f"{logit:16.7e}" for logit in row) for row in LOGITS),
        julia / "writedlm.txt": ("\t".join(row) for row in floats),
        julia / "writedlm.csv": (",".join(row) for row in floats),
        julia / "labels.txt": labels,
        julia / "missing.csv": [",".join(NAMES), "2.0,1.0,0.5", "0.25,,-1.0"],
        julia / "special.txt": ["2.0\tNaN\t0.5", "-Inf\t1.5\t-1.0"],
    }
    for path, lines in tables.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(_text(lines))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
