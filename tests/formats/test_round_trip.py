"""What is written is read back as it was, in every format of the table that reads and writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from softmax_cli.errors import OutputError
from tests.formats.rows import (
    ARRAYS,
    BINARY,
    COLUMNAR,
    COMPRESSIONS,
    TEXTS,
    Array,
    Ids,
    examples,
    read,
    same_bits,
    write,
)

pytestmark = pytest.mark.fast(2)

EDGES = [0.0, -0.0, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, -np.inf, np.inf]
DIGITS = [0.1, 1 / 3, -2 / 3, 1e22, 1e23, 9007199254740993.0, 123456789.12345678]
NARROW = [np.float32, np.float16]
WIDE = TEXTS + BINARY

every_text = pytest.mark.parametrize("suffix", TEXTS)
every_compression = pytest.mark.parametrize("compression", COMPRESSIONS)


def arrays(dtype: Any) -> st.SearchStrategy[Array]:
    """Matrices of every number there is, infinities and subnormals among them."""
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=4)
    return hnp.arrays(dtype, shapes, elements=hnp.from_dtype(np.dtype(dtype), allow_nan=False))


@pytest.mark.parametrize("suffix", WIDE)
@examples
@given(arrays(np.float64))
@example(np.array([EDGES, DIGITS]))
def test_float64_bit_for_bit(suffix: str, values: Array) -> None:
    assert same_bits(read(write(f"rows{suffix}", values)).values, values)


@every_text
@every_compression
def test_float64_bit_for_bit_compressed(suffix: str, compression: str) -> None:
    values = np.array([EDGES, DIGITS])
    path = write(f"rows{suffix}{compression}", values)
    assert same_bits(read(path).values, values)
    magic = {"": b"", ".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}[compression]
    assert path.read_bytes().startswith(magic)


@pytest.mark.parametrize("suffix", BINARY)
@pytest.mark.parametrize("dtype", NARROW)
@examples
@given(data=st.data())
def test_narrow_arrays_bit_for_bit(suffix: str, dtype: Any, data: st.DataObject) -> None:
    values = data.draw(arrays(dtype))
    assert same_bits(read(write(f"rows{suffix}", values)).values, values)


@every_text
@pytest.mark.parametrize("dtype", NARROW)
@examples
@given(data=st.data())
def test_narrow_text_reads_back_as_the_same_number(
    suffix: str, dtype: Any, data: st.DataObject
) -> None:
    values = data.draw(arrays(dtype))
    back = read(write(f"rows{suffix}", values)).values
    assert back.dtype == np.float64
    assert same_bits(back.astype(dtype), values)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl"])
@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (1 / 3, "0.33333334"), (1e-45, "1e-45"), (2.5, "2.5")]
)
def test_float32_text_has_no_digit_too_many(suffix: str, value: float, text: str) -> None:
    path = write(f"rows{suffix}", np.array([[value]], np.float32))
    assert path.read_text().strip().strip("[]") == text


@pytest.mark.parametrize("suffix", WIDE)
def test_nan(suffix: str) -> None:
    values = np.array([[np.nan, 1.0], [2.0, np.nan]])
    assert_array_equal(read(write(f"rows{suffix}", values)).values, values)


@every_text
def test_precision_rounds_to_significant_digits(suffix: str) -> None:
    values = np.array([[2 / 3, 12345.678, -np.inf]])
    back = read(write(f"rows{suffix}", values, precision=3)).values
    assert_array_equal(back, [[0.667, 12300.0, -np.inf]])


@pytest.mark.parametrize("suffix", ARRAYS)
@pytest.mark.parametrize("leading", [(), (6,), (2, 3), (1, 3, 2)])
def test_arrays_get_their_leading_dimensions_back(suffix: str, leading: tuple[int, ...]) -> None:
    rows = int(np.prod(leading, dtype=int))
    values = np.arange(rows * 4.0).reshape(rows, 4)
    back = read(write(f"rows{suffix}", values, leading=leading))
    assert back.source.leading == leading
    assert same_bits(back.values, values)


@pytest.mark.parametrize("suffix", ARRAYS)
def test_leading_dimensions_give_way_when_rows_are_missing(suffix: str) -> None:
    back = read(write(f"rows{suffix}", np.ones((5, 4)), leading=(2, 3)))
    assert back.source.leading == (5,)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl", *BINARY])
def test_no_rows(suffix: str) -> None:
    path = write(f"rows{suffix}", np.empty((0, 3)), names=("a", "b", "c"))
    if suffix == ".jsonl":
        assert path.read_bytes() == b""
    else:
        assert read(path).values.shape == (0, 3)


# Names and ids

LETTERS = "aZ09é漢 ,;|\t\n\"'#=.-_"


def _survives(name: str) -> bool:
    return name.strip() == name and not (name.startswith('"') and name.endswith('"'))


class_names = st.lists(
    st.text(LETTERS, min_size=1, max_size=6).filter(_survives), min_size=1, max_size=4, unique=True
).map(tuple)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl", ".ndjson", *COLUMNAR])
@examples
@given(class_names)
@example(("1", "2"))
@example(("comma,", 'quote"', "new\nline", "tab\t!"))
def test_class_names(suffix: str, names: tuple[str, ...]) -> None:
    values = np.arange(2.0 * len(names)).reshape(2, -1)
    header = True if suffix in (".csv", ".tsv") else None
    back = read(write(f"rows{suffix}", values, names=names), header=header)
    assert back.source.class_names == names
    assert same_bits(back.values, values)


@pytest.mark.parametrize(
    "names", [("cat,", "é|;"), ("a b", "#"), ("#a", '"'), ('say "a"', "\tb\t")]
)
def test_class_names_between_blanks(names: tuple[str, ...]) -> None:
    back = read(write("rows.txt", np.array([[1.5, 2.0]]), names=names))
    assert back.source.class_names == names
    assert_array_equal(back.values, [[1.5, 2.0]])


def test_ids_between_blanks() -> None:
    ids: Ids = [(b'"Mazda RX4"', b""), (b"#1", b"a b"), (b'"x"', b'5"')]
    path = write("rows.txt", np.eye(3)[:, :2], names=("a", "b"), ids=ids, id_names=("", "i d"))
    assert path.read_text().splitlines() == [
        '"" "i d" a b',
        '"Mazda RX4" "" 1.0 0.0',
        '"#1" "a b" 0.0 1.0',
        '"x" 5" 0.0 0.0',
    ]
    back = read(path, id_columns=["1-2"])
    assert back.source.id_names == ("", "i d")
    assert back.ids == [(b'"Mazda RX4"', b'""'), (b'"#1"', b'"a b"'), (b'"x"', b'5"')]
    assert_array_equal(back.values, np.eye(3)[:, :2])


def test_a_line_of_text_is_a_row() -> None:
    with pytest.raises(OutputError, match="a row is one line"):
        write("rows.txt", np.eye(1), ids=[(b'"a\nb"',)], id_names=("id",), names=("a",))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl", *COLUMNAR])
@every_compression
def test_ids(suffix: str, compression: str) -> None:
    if compression and suffix in COLUMNAR:
        pytest.skip("is compressed inside")
    values = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    ids: Ids = [(b"007", b"x"), (b"1e5", "é".encode()), (b"-inf", b"null")]
    path = write(
        f"rows{suffix}{compression}", values, names=("a", "b"), ids=ids, id_names=("id", "tag")
    )
    back = read(path, id_columns=["id,tag"])
    assert back.source.id_names == ("id", "tag")
    assert back.source.class_names == ("a", "b")
    assert back.ids == ids
    assert same_bits(back.values, values)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_ids_without_header(suffix: str) -> None:
    ids: Ids = [(b"x",), (b"y",)]
    path = write(f"rows{suffix}", np.eye(2), ids=ids, id_names=("",))
    back = read(path, id_columns=["1"])
    assert back.source.class_names is None
    assert back.ids == ids
    assert same_bits(back.values, np.eye(2))
