"""Which column of lists holds the classes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.lists import list_layout, refuse_length

NAMES = ["id", "logits", "probs", "y"]


def layout(*classes: int, chosen: bool = False) -> Layout:
    return Layout(4, list(classes), [], None, NAMES, chosen)


@pytest.mark.parametrize(
    ("classes", "lists", "column"), [((1,), {1, 2}, 1), ((0, 3), {1, 2}, None), ((3,), (), None)]
)
def test_the_only_class_that_is_a_list(
    classes: tuple[int, ...], lists: set[int], column: int | None
) -> None:
    found = list_layout(layout(*classes), lists, [], "x")
    assert (found and found.classes) == (column and [column])


@pytest.mark.parametrize(
    ("classes", "chosen", "line"),
    [
        (
            (1, 2),
            False,
            "the columns 'logits' and 'probs' hold lists; name one of them with --columns",
        ),
        (
            (1, 3),
            False,
            "the column 'logits' holds lists, but the column 'y' is left over; "
            "--id-columns y passes it through, --columns logits leaves it out",
        ),
        (
            (0, 1, 3),
            True,
            "the column 'logits' holds lists, but the columns 'id' and 'y' are left over; "
            "--columns logits leaves them out",
        ),
    ],
)
def test_other_columns_are_not_lost(classes: tuple[int, ...], chosen: bool, line: str) -> None:
    with pytest.raises(InputError) as error:
        list_layout(layout(*classes, chosen=chosen), {1, 2}, {3}, "x")
    assert str(error.value).startswith(f"x: {line}")


def test_columns_that_are_no_classes_are_left_out() -> None:
    # A fraction named id is no class either.
    found = list_layout(layout(0, 1, 3), {1}, {0}, "x")
    assert found is not None
    assert (found.classes, found.left_out) == ([1], [0, 3])
    passed = replace(layout(1, 3), ids=[3])
    assert (found := list_layout(passed, {1}, [], "x"))
    assert not found.left_out


def test_lists_have_one_length() -> None:
    refuse_length(2, 2, "x:1")
    for found, entries in ((3, 2), (0, 2), (0, 0)):
        with pytest.raises(InputError, match=r"^x:1: a(n empty)? list.* row"):
            refuse_length(found, entries, "x:1")


def test_a_layout_of_lists_has_a_name_and_a_width() -> None:
    lists = Layout(4, [1], [0], None, NAMES, entries=3)
    assert (lists.width, lists.list_name, lists.class_names) == (3, "logits", None)
    assert lists.cell("x:1", 2) == "x:1, class 2"
    assert (layout(1, 2).width, layout(1, 2).list_name) == (2, None)
