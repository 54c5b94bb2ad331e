"""What is refused of other tools' files, and that what the error says to do then works."""

from __future__ import annotations

import pytest

from tests.peers.rows import FILES
from tests.running import run

# A command, what its error says to do, and what is added to the command to do so.
REMEDIES = [
    ("pandas", "softmax index.csv", "--id-columns 1 passes", "--id-columns 1"),
    ("pandas", "softmax unnamed.csv", "--header if", "--header"),
    ("pandas", "softmax missing.csv", "--on-bad-row nan, zero", "--on-bad-row nan"),
    ("pandas", "softmax missing_null.csv", "zero or skip", "--on-bad-row skip"),
    ("pandas", "softmax european.csv --id-columns label", "--decimal ,", "--decimal ,"),
    ("pandas", "softmax no_index.csv", "--id-columns label passes", "--id-columns label"),
    (
        "pandas",
        "xent no_header.csv --labels series.csv",
        "-of labels=yes",
        "--header-of labels=yes",
    ),
    ("numpy", "softmax both.npz", "--key or FILE[KEY]", "--key logits"),
    ("numpy", "softmax both.safetensors", "--key or FILE[KEY]", "--key logits"),
    ("numpy", "xent logits.npy --labels labels_from_1.npy", "--label-base 1", "--label-base 1"),
    (
        "numpy",
        "xent logits.npy --labels words.npy",
        "--class-names",
        "--class-names setosa,versicolor,virginica",
    ),
    ("pyarrow", "softmax two.parquet", "with --columns", "--columns logits"),
    ("pyarrow", "softmax null_list.parquet --columns logits", "nan, zero", "--on-bad-row nan"),
    ("r", "softmax missing.txt", "zero or skip", "--on-bad-row zero"),
    ("r", "softmax missing.csv", "zero or skip", "--on-bad-row zero"),
    ("r", "softmax inf.csv", "nan, zero", "--on-bad-row nan"),
    ("r", "softmax csv2.csv --id-columns 1,label", "--decimal ,", "--decimal ,"),
    ("r", "xent matrix.csv --labels codes.csv", "--label-base 1", "--label-base 1"),
    (
        "r",
        "xent matrix.txt --labels species.csv",
        "--class-names",
        "--class-names setosa,versicolor,virginica",
    ),
    (
        "r",
        "xent tidymodels.csv --from probabilities --id-columns .pred_class --label-column species",
        "--class-prefix .pred_ strips",
        "--class-prefix .pred_",
    ),
    ("octave", "softmax nan.csv", "nan, zero", "--on-bad-row nan"),
    ("julia", "softmax missing.csv", "nan, zero", "--on-bad-row nan"),
    ("julia", "softmax special.txt", "nan, zero", "--on-bad-row nan"),
    ("spreadsheets", "softmax german.csv --id-columns id,label", "--decimal ,", "--decimal ,"),
    (
        "spreadsheets",
        "softmax errors.csv --id-columns id,label --on-bad-row skip",
        "--na-values '#DIV/0!' reads",
        "--na-values '#DIV/0!'",
    ),
    ("spreadsheets", "softmax empty_rows.csv --id-columns id,label", "skip", "--on-bad-row skip"),
    (
        "catboost",
        "xent RawFormulaVal.tsv --id-columns SampleId --label-column Label",
        "--class-prefix RawFormulaVal:Class= strips",
        "--class-prefix RawFormulaVal:Class=",
    ),
    (
        "catboost",
        "xent binary.tsv --id-columns SampleId --label-column Label",
        "--binary",
        "--binary",
    ),
    (
        "xgboost",
        "xent binary_logistic.txt --from probabilities --labels binary_labels.npy",
        "--binary",
        "--binary",
    ),
    (
        "sklearn",
        "xent predict_proba.npy --from probabilities --labels y_test.npy",
        "--class-names",
        "--class-names setosa,versicolor,virginica",
    ),
    (
        "huggingface",
        "xent 'tokens.npz[predictions]' --labels 'tokens.npz[label_ids]'",
        "--ignore-label -100",
        "--ignore-label -100",
    ),
]

# None of these is read; the error says what to do elsewhere.
REFUSED = [
    ("pandas", "sheet.xlsx", "is an Excel workbook"),
    ("pandas", "frame.pkl", "pickles run code"),
    ("pandas", "two_headers.csv", "'setosa' is not a number"),
    ("numpy", "structured.npy", "records of several fields"),
    ("numpy", "complex.npy", "complex numbers"),
    ("numpy", "objects.npy", "holds objects"),
    ("numpy", "scalar.npy", "an array of shape ()"),
    ("numpy", "scipy.mat", "is a MATLAB file"),
    ("numpy", "logits.h5", "is an HDF5 file"),
    ("octave", "v7.mat", "is a MATLAB file"),
    ("pyarrow", "ragged_list.parquet --columns logits", "a list of 2 numbers"),
    ("r", "frame.rds", "is an R data file"),
    ("r", "missing.json", "with null for a missing value"),
    ("spreadsheets", "book.xlsx", "is an Excel workbook"),
    ("spreadsheets", "unicode.txt", "is UTF-16 text; save it as UTF-8"),
    ("spreadsheets", "latin1.csv", "is not UTF-8 text; save it as UTF-8"),
    ("spreadsheets", "percents.csv", "without the percent sign"),
    ("spreadsheets", "thousands.csv", "without thousands separators"),
    ("spreadsheets", "thousands.csv --decimal ,", "without thousands separators"),
    ("spreadsheets", "calc_errors.csv --id-columns id,label", "'#DIV/0!' is not a number"),
    ("servers", "completions.jsonl", "--id-columns"),
]


@pytest.mark.parametrize(("tool", "line", "advice", "added"), REMEDIES)
def test_what_an_error_says_to_do_works(
    tool: str, line: str, advice: str, added: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILES / tool)
    refused = run(f"softmax-cli {line}")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert advice in refused.err
    outcome = run(f"softmax-cli {line} {added}")
    assert (outcome.code, "nan" in outcome.out) == (0, "nan, zero" in advice), outcome.err


@pytest.mark.parametrize(("tool", "line", "problem"), REFUSED)
def test_what_is_not_read(
    tool: str, line: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILES / tool)
    refused = run(f"softmax-cli softmax {line}")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert problem in refused.err
