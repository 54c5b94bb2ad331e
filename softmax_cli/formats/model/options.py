"""Options of reading and writing that the commands share."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from softmax_cli.storage.open_target import SharedPart

from softmax_cli.display.color import Color

OnBadRow = Literal["error", "nan", "zero", "skip"]
DecimalMark = Literal[".", ","]
DTypeName = Literal["float16", "bfloat16", "float32", "float64"]


@dataclass(frozen=True)
class ReadOptions:
    """How to read the input; None and empty mean: find out from the input."""

    input_format: str | None = None
    header: bool | None = None
    header_of: list[str] = field(default_factory=list)
    na_values: list[str] = field(default_factory=list)
    delimiter: str | None = None
    decimal: DecimalMark = "."
    columns: list[str] = field(default_factory=list)
    id_columns: list[str] = field(default_factory=list)
    class_names: str | None = None
    class_prefix: list[str] = field(default_factory=list)
    binary: bool = False
    key: str | None = None
    axis: int = -1
    dtype: DTypeName | None = None
    on_bad_row: OnBadRow = "error"


class ColumnRequest(NamedTuple):
    """The columns that a command needs, and what it knows about them.

    labels         the column of labels, which is then no class
    every_column   pass all columns through, not only the id columns
    one_column     one cell a row, as for labels: each entry of an array, or the only column of a
                   table, as text
    flat           each number of an array of one dimension is a row
    one_hot        dimensions and classes of an array that is one-hot labels, and no column
    words          labels that are words, and no header
    distributions  rows are probabilities: a first row 1,0 is no header
    entries        each number is a row, in a column or in lists of any length
    role           the input's name in --header-of, if the command has several inputs
    """

    labels: str | None = None
    every_column: bool = False
    one_column: bool = False
    flat: bool = False
    one_hot: tuple[int, int] | None = None
    words: Collection[str] = ()
    distributions: bool = False
    entries: bool = False
    role: str = ""

    @property
    def reads_truth(self) -> bool:
        """Whether true and false are 1 and 0, as in one-hot labels."""
        return self.role in ("labels", "targets")

    @property
    def holds_labels(self) -> bool:
        """Whether the entries are labels, which may be words."""
        return self.role == "labels"

    def is_column(self, shape: tuple[int, ...]) -> bool:
        """Whether each entry of an array of this shape is a row."""
        return self.one_column and self.one_hot != (len(shape), *shape[-1:])


@dataclass(frozen=True)
class WriteOptions:
    """Where the result goes and how it looks there; how the run reports and uses threads."""

    format: str | None = None
    output: str | None = None
    in_place: bool = False
    no_sync: bool = False
    output_header: bool = False
    precision: int | None = None
    save: str | None = None
    color: Color = "auto"
    quiet: bool = False
    no_progress: bool = False
    threads: int | None = None
    debug: bool = False

    @property
    def part(self) -> "SharedPart | None":
        """The part of a file that a task writes, if several write one file."""
        return None
