"""Fuzz one reader: python -m tests.fuzz NAME [options of libFuzzer].

It needs Atheris, which the extra `fuzz` installs; targets.py lists the names. For ten minutes:

    python -m tests.fuzz csv -max_total_time=600

It begins with the seeds and with tests/fuzz/corpus/NAME, and what it adds to them goes into
.fuzz/NAME; an input that breaks the target into .fuzz/NAME-crash-..., and

    python -m tests.fuzz csv .fuzz/csv-crash-...

runs that one again. Polars ends the whole process over some damaged Parquet files; with
-fork=1 -ignore_crashes=1 the fuzzer goes on, and keeps those inputs. What is worth keeping of all
that was found goes into the corpus, where the ordinary tests run it, by

    python -m tests.fuzz csv -set_cover_merge=1
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path
from unittest import mock

CORPUS = Path(__file__).parent / "corpus"
_FOUND = Path(".fuzz")
_DEFAULTS = ("-rss_limit_mb=2048", "-timeout=10", "-max_len=4096")
# Written in Python, so that what they tell apart guides the fuzzer too.
_GUIDED_BY = ["softmax_cli", "zipfile", "tomllib"]


def main(arguments: list[str]) -> None:
    """Fuzz the target that the arguments name, in a temporary folder."""
    import atheris

    with atheris.instrument_imports(include=_GUIDED_BY):
        from tests.fuzz.seeds import seeds, tokens
        from tests.fuzz.targets import TARGETS

    if not arguments or arguments[0] not in TARGETS:
        sys.exit(f"{__doc__}\nThe names are {', '.join(TARGETS)}.")
    name, *options = arguments
    found = (_FOUND / name).absolute()
    kept = CORPUS / name
    for folder in (found, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (found / f"seed-{number}").write_bytes(seed)
    words = found.with_suffix(".dict")
    words.write_text("".join(f'"{_spelt(token)}"\n' for token in tokens(name)))
    if any("merge=1" in option for option in options):
        folders = [kept, found]
    elif any(not option.startswith("-") for option in options):
        folders = []
    else:
        folders = [found, kept]
    settings = [*_DEFAULTS, f"-dict={words}", f"-artifact_prefix={found}-"]
    options = [option if option[:1] == "-" else str(Path(option).absolute()) for option in options]
    with tempfile.TemporaryDirectory() as name_of_folder:
        os.chdir(name_of_folder)
        # To merge, libFuzzer runs this again, as a command of the shell.
        os.environ["PYTHONPATH"] = str(CORPUS.parents[2])
        again = f"{shlex.quote(sys.executable)} -m tests.fuzz {name}"
        atheris.Setup([again, *settings, *options, *map(str, folders)], TARGETS[name])
        with mock.patch.object(os, "fsync"):
            atheris.Fuzz()


def _spelt(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    main(sys.argv[1:])
