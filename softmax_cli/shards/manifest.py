"""The manifest of an output directory: which shards are done, and from which files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from softmax_cli.errors import InputError
from softmax_cli.formats.text.json_values import json_report
from softmax_cli.storage.filesystem import Status, path_of, relative
from softmax_cli.storage.input import content
from softmax_cli.storage.open_target import open_target

NAME = "softmax-cli-manifest.json"
REMEDY = "add --fresh to recompute everything"
_VERSION = 1
# The largest share of the time that is spent on writing the manifest.
_SHARE = 0.05


@dataclass
class Manifest:
    """The shards of a command that are done, all with the same options.

    run      the run that wrote it last
    ended    whether that run ended
    options  everything but the files of each shard that the outputs depend on
    shards   by input, a record of each shard that is done
    bad      by input, the error of each damaged shard
    facts    results of all shards together, once the run has ended
    sync     whether it is on the disk before it appears
    """

    path: str
    run: str
    command: str
    options: dict[str, Any]
    shards: dict[str, dict[str, Any]] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    ended: bool = False
    sync: bool = True
    _earlier: bytearray | None = None
    _next_write: float = 0.0

    def has(self, shard: str, inputs: Sequence[Status], outputs: Sequence[str]) -> bool:
        """Return whether a shard is done, and its inputs and outputs are unchanged since."""
        if (record := self.shards.get(relative(shard))) is None or record["inputs"] != inputs:
            return False
        found = [path_of(path).status() for path in outputs]
        return None not in found and bool(record["outputs"] == found)

    def add(self, shard: str, record: dict[str, Any]) -> None:
        """Add a shard that is done; write the manifest, unless that would take too much time."""
        self.shards[relative(shard)] = record
        if monotonic() > self._next_write:
            self.write()

    def restore(self) -> None:
        """Put the manifest of the earlier run back; remove this one if there was none."""
        if self._earlier is None:
            path_of(self.path).remove()
        else:
            with open_target(self.path, sync=self.sync) as target:
                target.write(self._earlier)

    def write(self) -> None:
        """Replace the file, with one line per shard."""
        started = monotonic()
        document = {
            "manifest": _VERSION,
            "command": self.command,
            "run": self.run,
            "ended": self.ended,
            "options": self.options,
            **self.facts,
            "shards": [{"input": key, **record} for key, record in sorted(self.shards.items())],
            "bad": [{"input": key, "error": line} for key, line in sorted(self.bad.items())],
        }
        entries = []
        for key, value in document.items():
            text = json_report(value)
            if isinstance(value, list) and value:
                text = "[\n  " + ",\n  ".join(map(json_report, value)) + "\n]"
            entries.append(f"{json_report(key)}: {text}")
        text = "{\n" + ",\n".join(entries) + "\n}\n"
        with open_target(self.path, sync=self.sync) as target:
            target.write(text.encode("utf-8", "surrogatepass"))
        ended = monotonic()
        self._next_write = ended + (ended - started) / _SHARE


def open_manifest(
    directory: str,
    run: str,
    command: str,
    options: dict[str, Any],
    *,
    fresh: bool,
    sync: bool = True,
) -> tuple[Manifest, str | None]:
    """Return the manifest for a run, and the id of the earlier run if that did not end.

    It has the shards of the earlier run, if the command and the options were the same.
    """
    # Compared with what is read from JSON.
    options = json.loads(json_report(options))
    manifest = Manifest(path_of(directory).join(NAME), run, command, options, sync=sync)
    if path_of(manifest.path).status() is None:
        return manifest, None
    manifest._earlier = content(manifest.path)
    try:
        document: Any = json.loads(manifest._earlier.decode("utf-8", "surrogatepass"))
        unfinished = None if document["ended"] else str(document["run"])
        expected = (_VERSION, command, options)
        found = tuple(document[key] for key in ("manifest", "command", "options"))
        if found == expected and not fresh:
            manifest.shards = {record.pop("input"): record for record in document["shards"]}
            if not all(
                {"inputs", "outputs"} <= record.keys() for record in manifest.shards.values()
            ):
                raise KeyError
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if fresh:
            return manifest, None
        problem = "is not a manifest of this program, or is damaged"
        raise InputError(problem, REMEDY, manifest.path) from error
    return manifest, unfinished
