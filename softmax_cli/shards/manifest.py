"""The manifest of a directory of outputs: what they were made of, so that it is not done again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from softmax_cli.errors import InputError
from softmax_cli.formats.text.json_values import json_report
from softmax_cli.storage.change_check import Status
from softmax_cli.storage.filesystem import path_of, shown
from softmax_cli.storage.input import content
from softmax_cli.storage.open_target import open_target

NAME = "softmax-cli-manifest.json"
REMEDY = "--fresh does all anew"
_KIND = 1
# Writing it takes no more than this share of the time.
_SHARE = 0.05

Record = dict[str, Any]


@dataclass
class Manifest:
    """What is done of a command with some options, and what could not be.

    run      the run that wrote it last
    ended    whether that run came to its end
    options  everything that the outputs depend on beside the inputs
    shards   what is known of each input that is done
    bad      the error of each input that could not be read
    facts    what all shards come to, at the end of a run
    """

    directory: str
    run: str
    command: str
    options: dict[str, Any]
    shards: dict[str, Record] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    ended: bool = False
    _before: bytearray | None = None
    _written: float = 0.0
    _took: float = 0.0

    @property
    def path(self) -> str:
        """Where it is."""
        return path_of(self.directory).join(NAME)

    def unchanged(
        self, inputs: Sequence[Status], key: str, outputs: Sequence[str]
    ) -> Record | None:
        """Return what is known of a shard, if its inputs and outputs are as they were."""
        record = self.shards.get(key)
        if record is None or record["inputs"] != inputs:
            return None
        if [each["path"] for each in record["outputs"]] != [shown(path) for path in outputs]:
            return None
        same = all(path_of(each["path"]).status() == each for each in record["outputs"])
        return record if same else None

    def done(self, key: str, record: Record) -> None:
        """Note that a shard is done, and write it down, at once if that takes little time."""
        self.shards[key] = record
        if monotonic() - self._written > self._took / _SHARE:
            self.write()

    def put_back(self) -> None:
        """Leave what was there before, if nothing was done."""
        if self._before is None:
            path_of(self.path).remove()
            return
        with open_target(self.path) as target:
            target.write(self._before)

    def write(self) -> None:
        """Write it down, whole."""
        begun = monotonic()
        known = sorted(self.shards.items())
        document = {
            "manifest": _KIND,
            "command": self.command,
            "run": self.run,
            "ended": self.ended,
            "options": self.options,
            **self.facts,
            "shards": [{"input": key, **record} for key, record in known],
            "bad": [{"input": key, "error": line} for key, line in sorted(self.bad.items())],
        }
        with open_target(self.path) as target:
            target.write(_text(document).encode("utf-8", "surrogatepass"))
        self._written = monotonic()
        self._took = self._written - begun


def opened(
    directory: str, run: str, command: str, options: Mapping[str, Any], *, fresh: bool
) -> tuple[Manifest, str | None]:
    """Return the manifest for a run, and which run before it did not come to its end.

    What another command did, or the same with other options, counts for nothing.
    """
    # As it will be read back.
    wanted = json.loads(json_report(dict(options)))
    manifest = Manifest(directory, run, command, wanted)
    if path_of(manifest.path).status() is None:
        return manifest, None
    manifest._before = content(manifest.path)
    try:
        document: Any = json.loads(manifest._before.decode("utf-8", "surrogatepass"))
        unfinished = None if document["ended"] else str(document["run"])
        if document["manifest"] == _KIND and not fresh:
            if (document["command"], document["options"]) == (command, wanted):
                manifest.shards = {each.pop("input"): each for each in document["shards"]}
            for record in manifest.shards.values():
                _check(record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if fresh:
            return manifest, None
        problem = "is no manifest of this program, or is damaged"
        raise InputError(problem, REMEDY, manifest.path) from error
    return manifest, unfinished


def _text(document: Mapping[str, Any]) -> str:
    """Return the document as JSON, with a line for each shard."""
    entries = []
    for key, value in document.items():
        text = json_report(value)
        if isinstance(value, list) and value:
            text = "[\n  " + ",\n  ".join(map(json_report, value)) + "\n]"
        entries.append(f"{json_report(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _check(record: Any) -> None:
    for files in (record["inputs"], record["outputs"]):
        for each in files:
            if not isinstance(each["path"], str):
                raise TypeError
    if not isinstance(record["rows"], int):
        raise TypeError
