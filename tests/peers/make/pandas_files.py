"""Writes the files of the folder `pandas`: data frames and series, as pandas stores them.

pip install pandas==3.1.1 pyarrow==26.0.1 openpyxl==3.1.5
python -m tests.peers.make.pandas_files
"""

from __future__ import annotations

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.peers.rows import FILES, IDS, LABELS, LOGITS, NAMES, SPECIES

ORIENTS = ("records", "columns", "index", "split", "values", "table")


def main(folder: Path = FILES / "pandas") -> None:
    """Write the files."""
    folder.mkdir(exist_ok=True)
    pd: Any = import_module("pandas")
    frame = pd.DataFrame(np.array(LOGITS), columns=NAMES)
    labelled = frame.assign(label=SPECIES)
    identified = labelled.copy()
    identified.insert(0, "image_id", IDS)
    _write_texts(pd, folder, frame, labelled, identified)
    for orient in ORIENTS:
        frame.to_json(folder / f"{orient}.json", orient=orient)
    identified.to_json(folder / "lines.jsonl", orient="records", lines=True)
    identified.to_json(folder / "lines.json", orient="records", lines=True)
    _write_columnar(pd, folder, frame, identified)
    labelled.to_excel(folder / "sheet.xlsx", index=False)
    labelled.to_pickle(folder / "frame.pkl")


def _write_texts(pd: Any, folder: Path, frame: Any, labelled: Any, identified: Any) -> None:
    frame.to_csv(folder / "index.csv")
    labelled.to_csv(folder / "index_label.csv")
    labelled.to_csv(folder / "no_index.csv", index=False)
    identified.to_csv(folder / "ids.csv", index=False)
    labelled.to_csv(folder / "european.csv", index=False, sep=";", decimal=",")
    labelled.to_csv(folder / "tabs.tsv", index=False, sep="\t")
    labelled.to_csv(
        folder / "zipped.csv.gz", index=False, compression={"method": "gzip", "mtime": 0}
    )
    labelled.to_csv(folder / "quoted.csv", index=False, quoting=csv.QUOTE_ALL)
    frame.to_csv(folder / "no_header.csv", index=False, header=False)
    pd.DataFrame(np.array(LOGITS)).to_csv(folder / "unnamed.csv", index=False)
    frame.set_axis(pd.MultiIndex.from_product([["logit"], NAMES]), axis=1).to_csv(
        folder / "two_headers.csv", index=False
    )
    dated = identified.assign(image_id=pd.date_range("2024-02-29", periods=len(IDS), freq="D"))
    dated.set_index("image_id").to_csv(folder / "dates.csv")
    missing = frame.copy()
    missing.iloc[1, 2] = None
    missing.to_csv(folder / "missing.csv", index=False)
    missing.to_csv(folder / "missing_null.csv", index=False, na_rep="NULL")
    lists = pd.DataFrame({"logits": [list(row) for row in LOGITS], "label": LABELS})
    lists.to_csv(folder / "lists.csv", index=False)
    lists.assign(logits=[np.array(row) for row in LOGITS]).to_csv(
        folder / "arrays.csv", index=False
    )
    lists.to_json(folder / "lists.jsonl", orient="records", lines=True)
    labels = pd.Series(LABELS)
    labels.to_csv(folder / "series.csv", index=False)
    labels.to_csv(folder / "series_index.csv")
    pd.Series(SPECIES, name="species").to_csv(folder / "series_words.csv", index=False)
    pd.get_dummies(pd.Series(SPECIES)).to_csv(folder / "dummies.csv", index=False)
    pd.get_dummies(pd.Series(SPECIES), prefix="is").to_csv(folder / "is_dummies.csv", index=False)


def _write_columnar(pd: Any, folder: Path, frame: Any, identified: Any) -> None:
    identified.to_parquet(folder / "ids.parquet")
    identified.set_index("image_id").to_parquet(folder / "index.parquet")
    pd.get_dummies(pd.Series(SPECIES)).to_parquet(folder / "dummies.parquet")
    typed = identified.convert_dtypes().assign(
        image_id=pd.Series([IDS[0], None, *IDS[2:]], dtype="Int64"),
        label=pd.Categorical(SPECIES, categories=NAMES),
        flagged=pd.array([True, None, False, True, False], dtype="boolean"),
    )
    typed.to_parquet(folder / "typed.parquet")
    frame.assign(
        time=pd.date_range("2024-02-29 12:00", periods=len(IDS), freq="h", tz="Europe/Berlin"),
        label=LABELS,
    ).to_parquet(folder / "times.parquet")
    lists = pd.DataFrame({"logits": [np.array(row) for row in LOGITS], "label": LABELS})
    lists.to_parquet(folder / "lists.parquet")
    lists.astype({"label": "Int64"}).to_feather(folder / "lists.feather")


if __name__ == "__main__":
    main()
