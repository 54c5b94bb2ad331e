"""Every row of the page's table "From other tools" is true of a file that the tool wrote."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.peers.rows import FILES, LOSS
from tests.running import ROOT, run

PAGE = (ROOT / "docs" / "files.md").read_text().partition("\n## From other tools\n")[2]
ROWS = re.findall(r"^\| (\w.*) \| (.*) \| `(softmax-cli .*)` \|$", PAGE.partition("\n## ")[0], re.M)
# What stands for the files of a row, by the beginning of its second cell; loss None: its own rows.
STANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "CatBoost": {
        "`catboost calc`": ("predictions.tsv=catboost/RawFormulaVal.tsv",),
        "the same": ("predictions.tsv=catboost/binary.tsv",),
    },
    "DuckDB": {
        "`COPY t TO 't.parquet'`": ("t.parquet=duckdb/table.parquet",),
        "`COPY t TO 't.json'`": ("t.json=duckdb/table.json",),
        "a column": ("t.parquet=duckdb/lists.parquet",),
    },
    "DuckDB, pyarrow": {"an IPC": ("stream.arrow=duckdb/stream.arrow",)},
    "Excel": {
        "CSV": ("table.csv=spreadsheets/german.csv",),
        "errors": ("table.csv=spreadsheets/errors.csv",),
    },
    "Hugging Face": {
        "`Dataset": ("dataset.jsonl=huggingface/dataset.jsonl",),
        "`Trainer": ("trainer.npz=huggingface/trainer.npz",),
    },
    "Julia": {"`writedlm`": ("logits.txt=julia/writedlm.txt", "labels.txt=julia/labels.txt")},
    "LightGBM": {
        "`predict": (
            "LightGBM_predict_result.txt=lightgbm/LightGBM_predict_result.txt",
            "labels.txt=lightgbm/labels.txt",
        )
    },
    "LibreOffice": {"CSV": ("table.csv=spreadsheets/calc_semicolons.csv",)},
    "MATLAB, Octave": {
        "`writematrix`": ("logits.csv=matlab/writematrix.csv", "labels.csv=matlab/labels.csv"),
        "`jsonencode`": ("struct.json=octave/struct.json",),
    },
    "NumPy": {
        "`savetxt`": ("logits.csv=numpy/header.csv", "labels.npy=numpy/labels.npy"),
        "`savez`": ("both.npz=numpy/both.npz",),
        "labels": ("logits.npy=numpy/logits.npy", "words.npy=numpy/words.npy"),
        "one-hot": ("logits.npy=numpy/logits.npy", "onehot.npy=numpy/onehot.npy"),
    },
    "OpenAI, vLLM": {"`token_logprobs`": ("tokens.jsonl=servers/token_logprobs.jsonl",)},
    "pandas": {
        "`to_csv()`": ("table.csv=pandas/index_label.csv",),
        "`to_csv(sep": ("table.csv=pandas/european.csv",),
        "`Series": ("logits.csv=pandas/no_header.csv", "labels.csv=pandas/series.csv"),
        "`to_csv` of": ("table.csv=pandas/arrays.csv",),
        '`to_json(orient="records")`': ("table.json=pandas/lines.json",),
        '`to_json(orient="split")`': ("table.json=pandas/split.json",),
        "`to_parquet()`": ("table.parquet=pandas/index.parquet",),
        "`get_dummies`": ("logits.csv=pandas/no_header.csv", "dummies.csv=pandas/dummies.csv"),
    },
    "Polars": {"`write_ndjson`": ("table.ndjson=polars/lists.ndjson",)},
    "R": {
        "`write.table`": ("table.txt=r/rownames.txt",),
        "`write.csv`": ("table.csv=r/rownames.csv",),
        "`write.csv2`": ("table.csv=r/csv2.csv",),
        "tidymodels": ("table.csv=r/tidymodels.csv",),
        "classes": ("logits.csv=r/matrix.csv", "codes.csv=r/codes.csv"),
    },
    "scikit-learn": {
        "`predict_proba`": ("proba.npy=sklearn/predict_proba.npy", "labels.npy=sklearn/labels.npy"),
        "`decision_function`": (
            "decision.npy=sklearn/binary_decision.npy",
            "signs.npy=sklearn/signs.npy",
        ),
    },
    "XGBoost": {
        "`binary:logistic`": (
            "predictions.npy=xgboost/binary_logistic.npy",
            "labels.npy=xgboost/binary_labels.npy",
        ),
        "`multi:softprob`": (
            "predictions.npy=xgboost/multi_softprob.npy",
            "labels.npy=xgboost/labels.npy",
        ),
    },
}
# Their losses are in test_models.py; two rows of Excel's five are bad.
OTHER_ROWS = ("CatBoost", "LightGBM", "OpenAI, vLLM", "scikit-learn", "XGBoost")


@pytest.mark.parametrize(("tool", "what", "line"), ROWS)
def test_a_row_of_the_table(
    tool: str, what: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (stands,) = (files for start, files in STANDS[tool].items() if what.startswith(start))
    for stand in stands:
        name, _, path = stand.partition("=")
        assert name in " ".join(shlex.split(line))
        shutil.copy(FILES / path, name)
    outcome = run(line)
    assert outcome.code == 0, outcome.err
    if tool in OTHER_ROWS or what.startswith("errors"):
        assert float(outcome.out) > 0
    else:
        assert float(outcome.out) == pytest.approx(LOSS, rel=1e-12)


def test_the_table_is_sorted() -> None:
    tools = [tool for tool, _, _ in ROWS]
    assert tools == sorted(tools, key=str.lower)
