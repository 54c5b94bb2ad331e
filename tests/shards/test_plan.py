"""Which files make up a run, which belong together, and the names of their outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from softmax_cli.errors import InputError, SoftmaxCliError, UsageError
from softmax_cli.shards.plan import output_paths, plan_shards, stem, with_partners


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        *("z/a.npy", "z/b.npy", "z/.hidden.npy", "z/2026/c.npy"),
        *("y/a.npy", "y/b.csv", "y/2026/c.npy", "other/a.csv", "other/a.npy"),
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


@pytest.mark.parametrize(
    ("tokens", "names"),
    [
        (["z/*.npy"], ["a.npy", "b.npy"]),
        (["z/**/*.npy"], ["2026/c.npy", "a.npy", "b.npy"]),
        (["z/b.npy", "z/a.npy"], ["b.npy", "a.npy"]),
        (["z/a.npy", "z/2026/c.npy"], ["a.npy", "2026/c.npy"]),
        (["z/a.npy", "y/a.npy"], ["z/a.npy", "y/a.npy"]),
        (["z/a.npy", "z/*.npy"], ["a.npy", "b.npy"]),
        (["*/a.npy"], ["other/a.npy", "y/a.npy", "z/a.npy"]),
    ],
    ids=str,
)
def test_names_are_below_the_common_directory(tokens: list[str], names: list[str]) -> None:
    assert [shard.name for shard in plan_shards(tokens, "arguments")] == names


def test_absolute_paths_have_the_same_names(tmp_path: Path) -> None:
    shards = plan_shards([f"{tmp_path}/z/*.npy", f"{tmp_path}/z/2026/*"], "arguments")
    assert [shard.name for shard in shards] == ["a.npy", "b.npy", "2026/c.npy"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("-", "is not a file"),
        ("z", "is a directory; quote a glob such as 'z/"),
        ("1,2,3", "numbers are not a file"),
        ("-2", "numbers are not a file"),
        ("no/*.npy", "no file matches"),
        ("", "neither a number nor a file"),
    ],
)
def test_a_token_that_is_not_a_file_is_refused(token: str, said: str) -> None:
    with pytest.raises(SoftmaxCliError, match=said):
        plan_shards([token], "arguments")


@pytest.mark.parametrize("token", ["y", "y/", "y/**"])
def test_partners_have_the_same_names_or_stems(token: str) -> None:
    shards = plan_shards(["z/**/*.npy"], "arguments")
    found = [Path(each.partners["labels"]) for each in with_partners(shards, "--labels", token)]
    wanted = [Path("y/2026/c.npy"), Path("y/a.npy"), Path("y/b.csv")]
    assert [path.resolve() for path in found] == [path.resolve() for path in wanted]


def test_the_same_suffix_comes_before_another() -> None:
    (shard,) = with_partners(plan_shards(["z/a.npy"], "arguments"), "--labels", "other")
    assert shard.partners == {"labels": "other/a.npy"}
    assert shard.files == ["z/a.npy", "other/a.npy"]


def test_a_missing_or_ambiguous_partner_is_an_error() -> None:
    with pytest.raises(InputError, match=r"no file in other goes with z/b\.npy"):
        with_partners(plan_shards(["z/*.npy"], "arguments"), "--labels", "other")
    Path("z/a.tsv").write_bytes(b"")
    with pytest.raises(InputError, match=r"go with z/a\.tsv"):
        with_partners(plan_shards(["z/a.tsv"], "arguments"), "--labels", "other")
    Path("y/no").mkdir()
    with pytest.raises(InputError, match="--labels: y/no: no files"):
        with_partners(plan_shards(["z/*.npy"], "arguments"), "--labels", "y/no")


def test_one_partner_goes_with_one_shard_or_is_shared() -> None:
    several = plan_shards(["z/*.npy"], "arguments")
    with pytest.raises(UsageError, match="one for 2 files"):
        with_partners(several, "--labels", "y/a.npy")
    with pytest.raises(UsageError, match="one for 2 files"):
        with_partners(several, "--labels", "1,0")
    shared = with_partners(several, "--vjp", "1,0,0", shared=True)
    assert [each.partners for each in shared] == [{"vjp": "1,0,0"}] * 2
    assert [each.files for each in shared] == [["z/a.npy"], ["z/b.npy"]]
    (alone,) = with_partners(plan_shards(["z/a.npy"], "arguments"), "--labels", "y/b.csv")
    assert alone.partners == {"labels": "y/b.csv"}


def test_outputs_keep_the_names_and_are_distinct() -> None:
    shards = plan_shards(["z/**/*.npy"], "arguments")
    assert output_paths(shards, "out", lambda shard: shard.name) == [
        "out/2026/c.npy",
        "out/a.npy",
        "out/b.npy",
    ]
    assert output_paths(shards, "out", lambda shard: f"{stem(shard.name)}.csv")[1] == "out/a.csv"
    shards = plan_shards(["other/*"], "arguments")
    with pytest.raises(UsageError, match=r"would both be written to out/a\.json"):
        output_paths(shards, "out", lambda shard: f"{stem(shard.name)}.json")
