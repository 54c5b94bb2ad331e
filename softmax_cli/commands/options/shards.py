"""The options of a run over many files: outputs, scheduler and damaged files."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal, Self

from softmax_cli.commands.options.flag import Flag
from softmax_cli.errors import UsageError

LOCAL = "local"

_shards = partial(Flag, panel="Many files")


@dataclass(frozen=True)
class ShardOptions:
    """How to process many files, each with its own output."""

    output_dir: Annotated[
        str | None,
        _shards(
            "Write one output per input file, and a manifest, to this directory. Run again, the "
            "command processes only missing or changed files.",
            "DIR",
        ),
    ] = None
    fresh: Annotated[bool, _shards("With --output-dir: recompute everything.")] = False
    on_bad_shard: Annotated[
        Literal["error", "skip"],
        _shards("What to do with a damaged input file: stop, or skip it and name it at the end."),
    ] = "error"
    scheduler: Annotated[
        str | None,
        _shards(
            "Run on a Dask cluster: tcp://HOST:PORT, or 'local' for processes of this machine. "
            "Needs the extra dask.",
            "ADDRESS|local",
        ),
    ] = None
    workers: Annotated[
        int | None,
        _shards("With --scheduler local: the number of processes. Default: the cores.", "N", min=1),
    ] = None
    task_bytes: Annotated[
        int,
        _shards(
            "With --scheduler: split larger files into ranges of rows, one task each, if the "
            "format gives the number of rows.",
            "BYTES",
            min=1,
        ),
    ] = 1_000_000_000

    def worker_path(self, token: str) -> str:
        """Return a token, with a path made absolute for workers in another directory."""
        if not self._is_elsewhere or token == "-":
            return token
        from softmax_cli.formats.opening.file_key import names_input
        from softmax_cli.storage.filesystem import is_remote, path_of

        # Typed rows are not paths.
        is_path = names_input(token) and not is_remote(token)
        return path_of(token).absolute() if is_path else token

    def worker_directory(self, directory: str) -> str:
        """Return an output directory, made absolute for workers in another directory."""
        if not self._is_elsewhere:
            return directory
        from softmax_cli.storage.filesystem import path_of

        return path_of(directory).absolute()

    def for_workers(self) -> Self:
        """Return the options with an output directory that workers find."""
        if self.output_dir is None:
            return self
        return replace(self, output_dir=self.worker_directory(self.output_dir))

    @property
    def _is_elsewhere(self) -> bool:
        return self.scheduler not in (None, LOCAL)

    @property
    def are_given(self) -> bool:
        """Whether the command runs over many files; if not, their options are errors."""
        if self.output_dir is not None or self.scheduler is not None:
            if self.scheduler != LOCAL and self.workers is not None:
                raise UsageError("requires --scheduler local", "add it", "--workers")
            if self.fresh and self.output_dir is None:
                raise UsageError("there are no earlier results", "add --output-dir", "--fresh")
            return True
        for option, is_given in (
            ("--fresh", self.fresh),
            ("--on-bad-shard", self.on_bad_shard != "error"),
            ("--workers", self.workers is not None),
            ("--task-bytes", self.task_bytes != type(self).task_bytes),
        ):
            if is_given:
                raise UsageError("applies only to many files", "add --output-dir", option)
        return False
