"""Writes the files of the folder `spreadsheets`: what Excel and LibreOffice save as text.

    apt-get install libreoffice-calc-nogui   # 7.4.7
    pip install openpyxl==3.1.5
    python -m tests.peers.make.spreadsheet_files

LibreOffice saves a workbook in each form. What Excel alone writes follows its documentation: a mark
of UTF-8, lines that end in CRLF, "Unicode Text" in UTF-16 with tabs, and the first line `sep=;`,
which it obeys. In a German Excel the decimal mark is a comma and the separator a semicolon.
"""

from __future__ import annotations

import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.peers.rows import FILES, IDS, LOGITS, NAMES, SPECIES

HEADER = ("id", *NAMES, "label")
# Tokens of LibreOffice's text export: separator, quote, character set, first line.
FORMS = {"calc": "44,34,76,1", "calc_semicolons": "59,34,76,1", "calc_tabs": "9,34,76,1"}


def main(folder: Path = FILES / "spreadsheets") -> None:
    """Write the files."""
    folder.mkdir(exist_ok=True)
    openpyxl: Any = import_module("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER)
    for number, row, label in zip(IDS, LOGITS, SPECIES, strict=True):
        sheet.append((number, *row, label))
    book.save(folder / "book.xlsx")
    sheet["C3"] = "=1/0"
    sheet["D4"] = "=NA()"
    book.save(folder / "errors.xlsx")
    sheet.column_dimensions["A"].width = 12
    _save_as(folder, "book.xlsx", FORMS)
    _save_as(folder, "errors.xlsx", {"calc_errors": "44,34,76,1"})
    (folder / "errors.xlsx").unlink()
    _write_excel(folder)


def _save_as(folder: Path, book: str, forms: dict[str, str]) -> None:
    for name, tokens in forms.items():
        kind = f"csv:Text - txt - csv (StarCalc):{tokens}"
        command = ("soffice", "--headless", "--convert-to", kind, "--outdir", folder, folder / book)
        subprocess.run(command, check=True, capture_output=True)
        (folder / Path(book).with_suffix(".csv").name).rename(folder / f"{name}.csv")


def _write_excel(folder: Path) -> None:
    lines = [HEADER, *zip(IDS, *zip(*LOGITS, strict=True), SPECIES, strict=True)]
    german = [";".join(_german(cell) for cell in line) for line in lines]
    plain = [",".join(_plain(cell) for cell in line) for line in lines]
    errors = [*plain[:2], "1001,#DIV/0!,1.5,-1,versicolor", "1008,1,#N/A,3,virginica", *plain[4:]]
    percents = ["cat;dog", "62,85%;37,15%", "20,93%;79,07%"]
    thousands = ["cat;dog", "1.234,5;1.233", "0,5;-1.000,25"]
    texts = {
        "utf8.csv": _marked(plain),
        "german.csv": _marked(german),
        "sep.csv": _marked(["sep=;", *german]),
        "sep_comma.csv": _marked(["sep=,", *plain]),
        "unicode.txt": "\r\n".join([*(line.replace(";", "\t") for line in german), ""]).encode(
            "utf-16"
        ),
        "errors.csv": _marked(errors),
        "percents.csv": _marked(percents),
        "thousands.csv": _marked(thousands),
        "empty_columns.csv": _marked([f"{line},," for line in plain]),
        "empty_rows.csv": _marked([*plain, ",,,,", ",,,,"]),
        "latin1.csv": "id;Ärger;Freude\r\n7;0,5;1,25\r\n".encode("latin-1"),
    }
    for name, data in texts.items():
        (folder / name).write_bytes(data)


def _marked(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, ""]).encode("utf-8-sig")


def _plain(cell: object) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _german(cell: object) -> str:
    return _plain(cell).replace(".", ",")


if __name__ == "__main__":
    main()
