"""Files of other programs: refused by their suffix or content, with the line that converts them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pytest

from softmax_cli.errors import InputError
from tests.formats.arrays.test_npz import zipped
from tests.formats.rows import piped, read, refusal, saved
from tests.running import run


def archive(*members: str) -> bytes:
    """Return a zip of empty members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for member in members:
            opened.writestr(member, "")
    return stream.getvalue()


CONTENTS = {
    "Excel": (archive("[Content_Types].xml", "xl/workbook.xml"), "pandas.read_excel('{}').to_csv("),
    "openpyxl": (archive("docProps/app.xml", "xl/workbook.xml"), "save it in Excel as 'CSV UTF-8'"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "is an Excel workbook"),
    "LibreOffice": (archive("mimetype", "content.xml"), "pandas.read_excel('{}', engine='odf')"),
    "torch": (archive("model/data.pkl", "model/version"), "torch.load('{}', weights_only=True)"),
    "zip": (
        archive("data/train.csv"),
        "is a zip archive that begins with data/train.csv; unzip it",
    ),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "h5py.File('{}')['KEY'][()])"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(99), "scipy.io.loadmat('{}')"),
    "MATLAB 7.3": (b"MATLAB 7.3 MAT-file, Platform" + bytes(99), "h5py.File('{}')['KEY'][()].T)"),
    "R": (gzip.compress(b"X\n\0\0\0\3\0\4"), "write.csv(readRDS('{}')"),
    "R objects": (gzip.compress(b"RDX3\nX\n\0\0\0\3"), "load('{}', e)"),
    "Stata": (b"<stata_dta><header>", "pandas.read_stata('{}')"),
    "SPSS": (b"$FL2@(#) SPSS DATA FILE", "pandas.read_spss('{}')"),
    "bzip2": (bz2.compress(b"1,2\n"), "is compressed with bzip2; decompress it with bunzip2"),
    "xz": (lzma.compress(b"1,2\n"), "is compressed with xz; decompress it with unxz"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "HTML": (b"<!DOCTYPE html>\n<html>", "is a web page"),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", ["x", "x.csv", "x.npy", "x.npz", "x.parquet"])
def test_by_content_whatever_the_suffix_is(content: str, name: str) -> None:
    data, words = CONTENTS[content]
    line = refusal(saved(name, data))
    assert line.startswith(f"{name}: ")
    assert words.format(name) in line
    # The line does not write onto the file.
    assert f"to_csv('{name}'" not in line
    assert f"numpy.save('{name}'" not in line


def test_standard_input() -> None:
    with pytest.raises(InputError, match=r"standard input: .*scipy.io.loadmat\('FILE'\)"):
        piped(CONTENTS["MATLAB"][0])


@pytest.mark.parametrize(
    ("suffix", "words"),
    {
        ".xlsx": "pandas.read_excel('x.xlsx').to_csv('x.csv', index=False)",
        ".XLS": "pandas.read_excel('x.XLS').to_csv('x.csv', index=False)",
        ".ods": "engine='odf'",
        ".h5": "h5py.File('x.h5')",
        ".hdf5": "numpy.save('x.npy'",
        ".mat": "numpy.savez('x.npz', **{k: v for k, v",
        ".rds": "Rscript -e",
        ".RData": "load('x.RData', e)",
        ".dta": "read_stata",
        ".sav": "read_spss",
    }.items(),
)
def test_by_suffix(suffix: str, words: str) -> None:
    assert words in refusal(saved(f"x{suffix}", "1,2\n"))
    np_label = run(f"softmax-cli xent 1,2 3,4 --labels x{suffix}")
    assert words in np_label.err


def test_the_format_that_the_user_names_wins_over_a_suffix() -> None:
    assert read(saved("x.mat", "1 2\n"), input_format="txt").values.tolist() == [[1, 2]]
    assert "Excel" in refusal(saved("x.dat", CONTENTS["Excel"][0]), input_format="csv")


def test_an_archive_of_arrays_is_none_of_them() -> None:
    line = refusal(saved("x.zip", zipped(a=b"hello, world")))
    assert line == "x.zip[a]: is not an NPY file; --input-format names another format"


def test_a_file_that_is_not_there_has_no_content() -> None:
    assert refusal("x.xlsx") == "x.xlsx: no such file; check the spelling"
    saved("x.xls", "")
    assert refusal("x.xlsx") == "x.xlsx: no such file; did you mean 'x.xls'?"
    assert not Path("x.csv").exists()
