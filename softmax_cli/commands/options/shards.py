"""The options of a run of many files: where the outputs go, who does it, what may go wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal

from softmax_cli.commands.options.flag import Flag
from softmax_cli.errors import UsageError

LOCAL = "local"

_shards = partial(Flag, panel="Many files")


@dataclass(frozen=True)
class ShardOptions:
    """How many files are done one by one, each with an output of its own."""

    output_dir: Annotated[
        str | None,
        _shards(
            "--output-dir",
            metavar="DIR",
            help="Write one output per input file into this directory, and a manifest beside them; "
            "run again, only what is missing or changed is done.",
        ),
    ] = None
    fresh: Annotated[
        bool, _shards("--fresh", help="With --output-dir: do all anew, whatever is done.")
    ] = False
    on_bad_shard: Annotated[
        Literal["error", "skip"],
        _shards(
            "--on-bad-shard",
            help="What to do with an input file that is damaged: end there, or leave it out and "
            "name it at the end.",
        ),
    ] = "error"
    scheduler: Annotated[
        str | None,
        _shards(
            "--scheduler",
            metavar="ADDRESS|local",
            help="Let a Dask cluster do the files: tcp://HOST:PORT, or 'local' for processes of "
            "this machine. Needs the extra dask.",
        ),
    ] = None
    workers: Annotated[
        int | None,
        _shards(
            "--workers",
            metavar="N",
            min=1,
            help="With --scheduler local: how many processes. Default: the cores.",
        ),
    ] = None
    task_bytes: Annotated[
        int,
        _shards(
            "--task-bytes",
            metavar="BYTES",
            min=1,
            help="With --scheduler: a larger file is cut into ranges of rows, a task each, where "
            "its format tells how many rows there are.",
        ),
    ] = 1_000_000_000

    def reached(self, token: str) -> str:
        """Return what a token names as workers find it, who may work in another directory."""
        if not self._is_elsewhere:
            return token
        from softmax_cli.storage.filesystem import is_remote, path_of

        # What is typed is no path.
        path = path_of(token)
        is_path = token != "-" and not is_remote(token) and (path.exists() or path.glob())
        return path.absolute() if is_path else token

    def at(self, directory: str) -> str:
        """Return a directory of outputs, which need not be there yet, as workers find it."""
        if not self._is_elsewhere:
            return directory
        from softmax_cli.storage.filesystem import path_of

        return path_of(directory).absolute()

    def placed(self) -> ShardOptions:
        """Return the options with a directory of outputs that workers find."""
        directory = self.output_dir
        return self if directory is None else replace(self, output_dir=self.at(directory))

    @property
    def _is_elsewhere(self) -> bool:
        return self.scheduler not in (None, LOCAL)

    @property
    def are_given(self) -> bool:
        """Whether the files are shards; options that go with shards alone are errors elsewhere."""
        if self.output_dir is not None or self.scheduler is not None:
            if self.scheduler != LOCAL and self.workers is not None:
                raise UsageError("are those of --scheduler local", "add it", "--workers")
            if self.fresh and self.output_dir is None:
                raise UsageError("there is nothing done before", "add --output-dir", "--fresh")
            return True
        for option, is_given in (
            ("--fresh", self.fresh),
            ("--on-bad-shard", self.on_bad_shard != "error"),
            ("--workers", self.workers is not None),
            ("--task-bytes", self.task_bytes != type(self).task_bytes),
        ):
            if is_given:
                raise UsageError("goes with many files", "add --output-dir", option)
        return False
