"""Writes what classifiers predict: the folders `xgboost`, `lightgbm`, `sklearn` and `catboost`.

    pip install xgboost-cpu==3.2.0 lightgbm==4.7.0 scikit-learn==1.9.1 catboost==1.2.10
    python -m tests.peers.make.model_files

The command `catboost calc` is no part of its Python package: its files are written here in the form
that its documentation of "Model values" and "Cross-validation" gives, with what the package
predicts.
"""

from __future__ import annotations

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.peers.rows import FILES


def main(folder: Path = FILES) -> None:
    """Fit each kind of model to the flowers of iris and write down some of its predictions."""
    features, species, names = _iris()
    some = slice(None, None, 15)
    for write, tool in (
        (write_xgboost, "xgboost"),
        (write_lightgbm, "lightgbm"),
        (write_sklearn, "sklearn"),
        (write_catboost, "catboost"),
    ):
        (folder / tool).mkdir(exist_ok=True)
        write(folder / tool, features, species, names, some)
        np.save(folder / tool / "labels.npy", species[some])
        np.save(folder / tool / "binary_labels.npy", (species == 1).astype(int)[some])
        np.savetxt(folder / tool / "labels.txt", species[some], fmt="%d")


def _iris() -> tuple[Any, Any, Any]:
    iris: Any = import_module("sklearn.datasets").load_iris()
    return iris.data[:, :2], iris.target, iris.target_names


def write_xgboost(folder: Path, features: Any, species: Any, _: Any, some: slice) -> None:
    """Write probabilities of two and of three classes, margins and classes."""
    xgboost: Any = import_module("xgboost")
    given = xgboost.DMatrix(features[some])
    binary = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 2, "nthread": 1},
        xgboost.DMatrix(features, label=species == 1),
        5,
    )
    np.save(folder / "binary_logistic.npy", binary.predict(given))
    np.save(folder / "binary_margin.npy", binary.predict(given, output_margin=True))
    np.savetxt(folder / "binary_logistic.txt", binary.predict(given))
    for objective in ("softprob", "softmax"):
        several = xgboost.train(
            {"objective": f"multi:{objective}", "num_class": 3, "max_depth": 2, "nthread": 1},
            xgboost.DMatrix(features, label=species),
            5,
        )
        np.save(folder / f"multi_{objective}.npy", several.predict(given))
    np.save(folder / "multi_margin.npy", several.predict(given, output_margin=True))
    np.savetxt(folder / "multi_margin.txt", several.predict(given, output_margin=True))


def write_lightgbm(folder: Path, features: Any, species: Any, _: Any, some: slice) -> None:
    """Write probabilities and raw scores, and the text of `task=predict`, with tabs."""
    lightgbm: Any = import_module("lightgbm")
    settings = {"verbosity": -1, "num_threads": 1, "deterministic": True, "num_leaves": 4}
    several = lightgbm.train(
        {**settings, "objective": "multiclass", "num_class": 3},
        lightgbm.Dataset(features, label=species),
        5,
    )
    np.save(folder / "multiclass.npy", several.predict(features[some]))
    raw = several.predict(features[some], raw_score=True)
    np.save(folder / "raw_score.npy", raw)
    np.savetxt(folder / "LightGBM_predict_result.txt", raw, fmt="%.17g", delimiter="\t")
    binary = lightgbm.train(
        {**settings, "objective": "binary"},
        lightgbm.Dataset(features, label=(species == 1).astype(int)),
        5,
    )
    np.save(folder / "binary.npy", binary.predict(features[some]))
    np.save(folder / "binary_raw_score.npy", binary.predict(features[some], raw_score=True))


def write_sklearn(folder: Path, features: Any, species: Any, names: Any, some: slice) -> None:
    """Write what predict_proba, predict_log_proba and decision_function return."""
    linear: Any = import_module("sklearn.linear_model").LogisticRegression()
    linear.fit(features, names[species])
    np.save(folder / "predict_proba.npy", linear.predict_proba(features[some]))
    np.save(folder / "predict_log_proba.npy", linear.predict_log_proba(features[some]))
    np.save(folder / "decision_function.npy", linear.decision_function(features[some]))
    np.save(folder / "classes.npy", linear.classes_.astype(str))
    np.save(folder / "y_test.npy", names[species][some].astype(str))
    linear.fit(features, species == 1)
    np.save(folder / "binary_proba.npy", linear.predict_proba(features[some])[:, 1])
    np.save(folder / "binary_decision.npy", linear.decision_function(features[some]))
    np.save(folder / "signs.npy", np.where(species == 1, 1, -1)[some])
    forest: Any = import_module("sklearn.ensemble").RandomForestClassifier(10, random_state=0)
    np.save(
        folder / "forest_proba.npy", forest.fit(features, species).predict_proba(features[some])
    )


def write_catboost(folder: Path, features: Any, species: Any, names: Any, some: slice) -> None:
    """Write the tables of `catboost calc`, with tabs: raw values and probabilities of classes."""
    catboost: Any = import_module("catboost")
    settings = {"iterations": 5, "depth": 2, "verbose": False, "thread_count": 1}
    settings["allow_writing_files"] = False
    several = catboost.CatBoostClassifier(**settings).fit(features, names[species])
    for kind in ("RawFormulaVal", "Probability"):
        columns = [f"{kind}:Class={name}" for name in several.classes_]
        values = several.predict(features[some], prediction_type=kind)
        _write_calc(folder / f"{kind}.tsv", columns, values, names[species][some])
    binary = catboost.CatBoostClassifier(**settings).fit(features, (species == 1).astype(int))
    raw = binary.predict(features[some], prediction_type="RawFormulaVal")
    truth = (species == 1).astype(int)[some]
    _write_calc(folder / "binary.tsv", ["RawFormulaVal"], raw[:, None], truth)
    probabilities = binary.predict_proba(features[some])[:, 1:]
    _write_calc(folder / "binary_probability.tsv", ["Probability"], probabilities, truth)


def _write_calc(path: Path, columns: list[str], values: Any, labels: Any) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["SampleId", *columns, "Label"])
        for number, (row, label) in enumerate(zip(values, labels, strict=True)):
            writer.writerow([number, *(f"{value:.10g}" for value in row), label])


if __name__ == "__main__":
    main()
