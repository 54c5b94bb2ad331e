"""The manifest: done shards are read back, unless a file or an option has changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from softmax_cli.errors import InputError
from softmax_cli.shards.manifest import NAME, Manifest, open_manifest
from softmax_cli.storage.filesystem import Status, path_of

OPTIONS = {"temperature": 2.0, "columns": ("a", "b"), "least": float("-inf")}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").write_text("1,2")
    Path("out").write_text("0.5,0.5")


def _again(options: Any = OPTIONS, command: str = "softmax", **how: Any) -> Manifest:
    return open_manifest(".", "second", command, options, **({"fresh": False} | how))[0]


def _status(path: str) -> Status:
    status = path_of(path).status()
    assert status is not None
    return status


@pytest.fixture
def _done() -> None:
    manifest, unfinished = open_manifest(".", "first", "softmax", OPTIONS, fresh=False)
    assert unfinished is None
    record = {"rows": 1, "inputs": [_status("in")], "outputs": [_status("out")]}
    manifest.add("in", record)
    manifest.ended = True
    manifest.facts = {"loss": float("inf")}
    manifest.write()


@pytest.mark.usefixtures("_done")
class TestReadBack:
    def test_an_unchanged_shard_is_done(self) -> None:
        manifest = _again()
        assert manifest.has("in", [_status("in")], ["out"])
        assert manifest.shards["in"]["rows"] == 1
        assert json.loads(Path(NAME).read_text())["loss"] == "inf"

    def test_a_shard_with_a_changed_input_is_not(self) -> None:
        os.utime("in", ns=(1, 1))
        assert not _again().has("in", [_status("in")], ["out"])

    def test_nor_one_with_an_input_of_another_size(self) -> None:
        at = Path("in").stat().st_mtime_ns
        Path("in").write_text("1,20")
        os.utime("in", ns=(at, at))
        assert not _again().has("in", [_status("in")], ["out"])

    def test_nor_one_whose_output_is_missing_or_changed_or_renamed(self) -> None:
        manifest = _again()
        assert not manifest.has("in", [_status("in")], ["other"])
        Path("out").write_text("1,0")
        assert not manifest.has("in", [_status("in")], ["out"])
        Path("out").unlink()
        assert not manifest.has("in", [_status("in")], ["out"])

    @pytest.mark.parametrize(
        "how",
        [{"options": OPTIONS | {"temperature": 1.0}}, {"command": "jacobian"}, {"fresh": True}],
        ids=str,
    )
    def test_shards_done_with_other_options_are_forgotten(self, how: dict[str, Any]) -> None:
        assert _again(**how).shards == {}

    @pytest.mark.parametrize(
        "text",
        [
            *("", "[]", "{", "null", '{"manifest": 1}', "\xff"),
            '{"manifest":1,"ended":true,"run":"a","command":"softmax","options":{},"shards":[1]}',
        ],
    )
    def test_a_damaged_manifest_is_an_error_with_a_remedy(self, text: str) -> None:
        good = json.loads(Path(NAME).read_text())
        if text.endswith("[1]}"):
            text = json.dumps(good | {"shards": [{"input": "in", "inputs": 3}]})
        Path(NAME).write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match="add --fresh to recompute everything"):
            _again()
        assert _again(fresh=True).shards == {}


def test_a_run_that_did_not_end_is_returned() -> None:
    open_manifest(".", "first", "softmax", OPTIONS, fresh=False)[0].write()
    assert open_manifest(".", "second", "softmax", OPTIONS, fresh=False)[1] == "first"


def test_it_is_written_as_shards_finish() -> None:
    manifest = _again()
    manifest.add("in", {"rows": 1, "inputs": [], "outputs": []})
    assert [each["input"] for each in json.loads(Path(NAME).read_text())["shards"]] == ["in"]
    assert not json.loads(Path(NAME).read_text())["ended"]


def test_an_output_that_was_never_there_is_not_done() -> None:
    manifest, _ = open_manifest(".", "first", "softmax", OPTIONS, fresh=False)
    manifest.add("in", {"rows": 1, "inputs": [_status("in")], "outputs": [None]})
    assert not manifest.has("in", [_status("in")], ["gone"])
