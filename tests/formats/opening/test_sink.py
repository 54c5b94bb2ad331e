"""Pictures: what a terminal shows, as files that ask nothing of a network."""

from __future__ import annotations

import html
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.cells import cell_len

from tests.running import ROOT, run

LINES = {
    "softmax": "softmax 1 2 3",
    "jacobian": "jacobian 1 2 3",
    "explanation": "softmax 1000 1001 --explain",
    "report": "xent 1,2,3 3,2,1 --labels 2,2 --worst 1",
    "losses": "xent 1,2,3 3,2,1 --labels 2,2 --reduction none",
    "verdict": "gradcheck 1 2 3 --of softmax",
}


@pytest.fixture(autouse=True)
def _with_samples(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (folder / "samples").symlink_to(ROOT / "samples")


def words(path: str) -> list[str]:
    """Return the words of a picture."""
    text = Path(path).read_text(encoding="utf-8")
    if path.endswith(".svg"):
        root = ElementTree.fromstring(text)
        texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
        return " ".join(texts).replace("\xa0", " ").split()[1:]
    return html.unescape(re.sub("<[^>]*>", "", text.partition("<pre>")[2])).split()


@pytest.mark.parametrize("suffix", ["svg", "html"])
@pytest.mark.parametrize("name", LINES)
def test_a_picture_has_the_words_of_the_terminal(name: str, suffix: str) -> None:
    shown = run(f"softmax-cli {LINES[name]}", terminal=True).out
    beside = run(f"softmax-cli {LINES[name]} --save p.{suffix}")
    assert beside.code == 0
    assert beside.out == run(f"softmax-cli {LINES[name]}").out.replace(
        "1 2 3 --of softmax\n", f"1 2 3 --of softmax --save p.{suffix}\n"
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("─", "")
    drawn = " ".join(words(f"p.{suffix}")).replace("─", "").replace(f" --save p.{suffix}", "")
    assert "".join(drawn.split()) == "".join(plain.split())


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_a_picture_asks_nothing_of_a_network(suffix: str) -> None:
    run(f"softmax-cli softmax 1 2 3 --save p.{suffix}")
    text = Path(f"p.{suffix}").read_text()
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert "script" not in text
    assert "url(" not in text.replace("url(#", "")


def test_names_of_classes_cannot_be_markup() -> None:
    Path("z.csv").write_text("<b>&amp;</b>,]]>\n1,2\n")
    for suffix in ("svg", "html"):
        assert run(f"softmax-cli softmax z.csv --save p.{suffix}").code == 0
        assert "<b>&amp;</b>" in " ".join(words(f"p.{suffix}")).replace(" ", "")
        assert "<b>" not in Path(f"p.{suffix}").read_text()


def test_a_picture_is_as_narrow_as_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    run("softmax-cli softmax 1 2 3 --save p.svg")
    view = re.search(r'viewBox="0 0 ([0-9.]+) ', Path("p.svg").read_text())
    assert view is not None
    assert 400 < float(view[1]) < 1000


def test_wide_characters_take_two_cells() -> None:
    Path("z.csv").write_text("犬犬,ab,&é\n1,2,3\n4,5,6\n", encoding="utf-8")
    run("softmax-cli softmax z.csv --format table --save p.svg")
    texts = {
        html.unescape(content): float(length)
        for length, content in re.findall(
            r'<text [^>]*textLength="([^"]+)"[^>]*>([^<]+)<', Path("p.svg").read_text("utf-8")
        )
    }
    widths = {each: texts[each] / cell_len(each) for each in texts if each.strip()}
    assert any("犬犬" in each for each in widths)
    assert max(widths.values()) - min(widths.values()) < 0.01


def test_colour_is_left_out_if_it_is_not_wanted() -> None:
    run("softmax-cli jacobian 1 2 3 --save p.svg")
    run("softmax-cli jacobian 1 2 3 --save q.svg --color never")
    assert "#1f5f9e" in Path("p.svg").read_text()
    assert "#1f5f9e" not in Path("q.svg").read_text()
    assert words("p.svg") == words("q.svg")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--save p.png", "--save: 'p.png' is not a picture; name a file .svg or .html"),
        ("--save -", "--save: '-' is not a picture"),
        ("--save p.svg -o p.svg --format json", "--save: names the same file as --output"),
        ("--save z.svg", "z.svg: is also an input"),
        ("--save missing/p.svg", "missing/p.svg"),
    ],
)
@pytest.mark.parametrize("command", ["softmax", "xent --labels 0"])
def test_what_cannot_be_a_picture(command: str, options: str, error: str) -> None:
    Path("z.svg").write_text("1,2\n")
    outcome = run(f"softmax-cli {command} z.svg --input-format csv {options}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"softmax-cli: {error}")
    assert Path("z.svg").read_text() == "1,2\n"
    assert sorted(path.name for path in Path().iterdir()) == ["samples", "z.svg"]


def test_what_cannot_be_the_picture_of_a_verdict() -> None:
    for options in (
        "--save p.png",
        "--save p.json --report p.json",
        "-o p.svg --format json --save p.svg",
    ):
        outcome = run(f"softmax-cli gradcheck 1 2 --of softmax {options}")
        assert (outcome.code, outcome.out) == (2, "")
    assert sorted(path.name for path in Path().iterdir()) == ["samples"]


def test_a_picture_of_many_files_is_refused() -> None:
    np.save("a.npy", np.ones((2, 2)))
    outcome = run("softmax-cli softmax a.npy --output-dir out --save p.svg")
    assert outcome.err.startswith("softmax-cli: --save: is a picture of one table")


def test_an_error_leaves_no_picture() -> None:
    assert run("softmax-cli softmax 1,2 nan,0 --save p.svg").code == 2
    assert not Path("p.svg").exists()


def test_rows_of_any_number_and_a_file_beside() -> None:
    line = "softmax-cli softmax samples/digits_logits.npy -o out.npy --save p.html"
    assert run(line).out == ""
    assert np.load("out.npy").shape == (1797, 10)
    assert "20 of 1797 rows" in " ".join(words("p.html"))


def test_the_picture_of_a_loss_is_the_report() -> None:
    line = "softmax-cli xent samples/iris.csv --label-column label --calibration --save p.svg"
    outcome = run(line)
    assert (outcome.out, outcome.err) == (run(line.removesuffix(" --save p.svg")).out, "")
    text = " ".join(words("p.svg"))
    assert "ECE 0.0783702" in text
    assert "losses rows" in text
