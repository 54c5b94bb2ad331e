"""Make the sample files beside this script: logits, labels and a gradient of two real classifiers.

    pip install '.[samples]'
    python samples/make_samples.py

iris.csv              the logits of a logistic regression on iris, and the species of each flower
iris_labels.csv       the species alone
digits_logits.npy     the logits of a logistic regression on handwritten digits
digits_labels.npy     the digit that was written
digits_gradient.npy   the gradient of the mean cross-entropy with respect to digits_logits.npy
digits_classes.txt    the names of the digits
digits_shards/        the logits and the labels once more, in three files each

The data come with scikit-learn: nothing is downloaded. Nothing is random: a second run writes
the same bytes. Nothing of softmax_cli is used here, so that the gradient can check it.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).resolve().parent
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SHARDS = 3

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def fitted_logits(features: Floats, labels: Labels) -> Floats:
    """Fit a multinomial logistic regression and return its (rows, classes) logits.

        logits[i, j] = sum_f features[i, f] coef[j, f] + intercept[j]

    The last bits of a fit depend on the processor and its threads. So the fit is taken to
    convergence, its weights are rounded to 20 binary places, and the sum is NumPy's own, not a
    BLAS product: the logits are then the same everywhere.
    """
    model = LogisticRegression(solver="newton-cg", tol=1e-10, max_iter=1000)
    model.fit(features, labels)
    weights = np.rint(model.coef_ * 2.0**20) / 2.0**20
    intercept = np.rint(model.intercept_ * 2.0**20) / 2.0**20
    return np.asarray((features[:, np.newaxis, :] * weights).sum(axis=2) + intercept)


def log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def mean_loss_gradient(logits: Floats, labels: Labels) -> Floats:
    """Differentiate the mean cross-entropy by the logits: (softmax - onehot) / rows."""
    rows, classes = logits.shape
    return np.asarray((np.exp(log_softmax(logits)) - np.eye(classes)[labels]) / rows)


def summary(name: str, logits: Floats, labels: Labels) -> str:
    """Describe the classifier in one line; refuse one whose logits would make poor samples."""
    rows, classes = logits.shape
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    log_probabilities = log_softmax(logits)
    loss = float(-log_probabilities[np.arange(rows), labels].mean())
    in_float32 = np.exp(log_probabilities).astype(np.float32)
    saturated = int(((in_float32 == 0) | (in_float32 == 1)).any(axis=1).sum())
    if not np.isfinite(logits).all() or accuracy <= 0.9 or saturated:
        raise SystemExit(f"{name}: accuracy {accuracy}, {saturated} saturated rows of {rows}")
    return f"{name}: {rows} x {classes}, accuracy {accuracy:.6f}, mean cross-entropy {loss!r}"


def write_lines(name: str, lines: list[str]) -> None:
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def make_iris() -> str:
    """Write iris.csv and iris_labels.csv."""
    iris = load_iris()
    labels: Labels = iris.target.astype(np.int64)
    logits = fitted_logits(iris.data, labels)
    described = summary("iris", logits, labels)
    names = [str(name) for name in iris.target_names]
    species = [names[label] for label in labels]
    # tolist gives Python floats, whose repr is the shortest that reads back as the same number.
    rows = [
        ",".join([*map(repr, row), name])
        for row, name in zip(logits.tolist(), species, strict=True)
    ]
    write_lines("iris.csv", [",".join([*names, "label"]), *rows])
    write_lines("iris_labels.csv", ["label", *species])
    return described


def make_digits() -> str:
    """Write the four digits_* files."""
    digits = load_digits()
    labels: Labels = digits.target.astype(np.int64)
    logits = np.ascontiguousarray(fitted_logits(digits.data / 16, labels), dtype=np.float32)
    # The gradient belongs to the logits that are in the file, hence to the rounded ones.
    exact = logits.astype(np.float64)
    described = summary("digits", exact, labels)
    np.save(HERE / "digits_logits.npy", logits)
    np.save(HERE / "digits_labels.npy", labels)
    np.save(HERE / "digits_gradient.npy", mean_loss_gradient(exact, labels).astype(np.float32))
    for name, array in (("logits", logits), ("labels", labels)):
        folder = HERE / "digits_shards" / name
        folder.mkdir(parents=True, exist_ok=True)
        for shard, rows in enumerate(np.split(array, SHARDS)):
            np.save(folder / f"part-{shard}.npy", rows)
    write_lines("digits_classes.txt", list(DIGITS))
    return described


if __name__ == "__main__":
    print(make_iris())
    print(make_digits())
