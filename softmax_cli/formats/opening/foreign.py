"""Files of other programs: refused, with the command that converts them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.registry import BY_NAME, suffix_format
from softmax_cli.storage.compression import COMPRESSIONS
from softmax_cli.storage.filesystem import is_remote, path_of
from softmax_cli.storage.input import Input, open_input


class _Foreign(NamedTuple):
    """What a file is, and what to do with it: `{path}`, and names with other suffixes."""

    problem: str
    remedy: str


def _python(code: str, modules: str = "numpy") -> str:
    return f'convert it with python -c "import {modules}; {code}"'


_PICKLED = "pickles run code and are never read here"
_OF_KEY = ", with the name of its array for KEY"
_KINDS = {
    "torch": _Foreign(
        _PICKLED,
        _python(
            "numpy.save('{npy}', torch.load('{path}', weights_only=True).numpy())", "numpy, torch"
        ),
    ),
    "pickle": _Foreign(
        _PICKLED, _python("numpy.save('{npy}', pickle.load(open('{path}', 'rb')))", "numpy, pickle")
    ),
    "joblib": _Foreign(
        _PICKLED, _python("numpy.save('{npy}', joblib.load('{path}'))", "joblib, numpy")
    ),
    "excel": _Foreign(
        "is an Excel workbook",
        "save it in Excel as 'CSV UTF-8', or "
        + _python("pandas.read_excel('{path}').to_csv('{csv}', index=False)", "pandas"),
    ),
    "opendocument": _Foreign(
        "is an OpenDocument spreadsheet",
        "save it in LibreOffice as CSV, or "
        + _python(
            "pandas.read_excel('{path}', engine='odf').to_csv('{csv}', index=False)", "pandas"
        ),
    ),
    "hdf5": _Foreign(
        "is an HDF5 file",
        _python("numpy.save('{npy}', h5py.File('{path}')['KEY'][()])", "h5py, numpy") + _OF_KEY,
    ),
    "matlab": _Foreign(
        "is a MATLAB file",
        _python(
            "numpy.savez('{npz}', **{{k: v for k, v in scipy.io.loadmat('{path}').items() "
            "if k[0] != '_'}})",
            "numpy, scipy.io",
        ),
    ),
    "matlab 7.3": _Foreign(
        "is a MATLAB file of version 7.3",
        _python("numpy.save('{npy}', h5py.File('{path}')['KEY'][()].T)", "h5py, numpy") + _OF_KEY,
    ),
    "rds": _Foreign(
        "is an R data file",
        "convert it with Rscript -e \"write.csv(readRDS('{path}'), '{csv}', row.names=FALSE)\"",
    ),
    "rdata": _Foreign(
        "is an R data file",
        "convert it with Rscript -e \"e <- new.env(); load('{path}', e); "
        "write.csv(get('NAME', e), '{csv}', row.names=FALSE)\", with its name for NAME",
    ),
    "stata": _Foreign(
        "is a Stata file",
        _python("pandas.read_stata('{path}').to_csv('{csv}', index=False)", "pandas"),
    ),
    "spss": _Foreign(
        "is an SPSS file",
        _python("pandas.read_spss('{path}').to_csv('{csv}', index=False)", "pandas"),
    ),
    "bzip2": _Foreign("is compressed with bzip2", "decompress it with bunzip2 -k '{path}'"),
    "xz": _Foreign("is compressed with xz", "decompress it with unxz -k '{path}'"),
    "lfs": _Foreign("is a pointer of Git LFS, not the file itself", "fetch it with git lfs pull"),
    "html": _Foreign("is a web page", "download the file that it links to"),
}
_PICKLES = ("torch", "pickle", "joblib")
_SUFFIXES = {
    **dict.fromkeys((".pt", ".pth", ".ckpt"), "torch"),
    **dict.fromkeys((".pkl", ".pickle"), "pickle"),
    ".joblib": "joblib",
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb"), "excel"),
    ".ods": "opendocument",
    **dict.fromkeys((".h5", ".hdf5"), "hdf5"),
    ".mat": "matlab",
    ".rds": "rds",
    **dict.fromkeys((".rdata", ".rda"), "rdata"),
    ".dta": "stata",
    ".sav": "spss",
}
_STARTS = {
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"MATLAB 5.0 MAT-file": "matlab",
    b"MATLAB 7.3 MAT-file": "matlab 7.3",
    # Workbooks of Excel before 2007.
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "excel",
    b"X\n\0\0\0": "rds",
    b"RDX2\n": "rdata",
    b"RDX3\n": "rdata",
    b"<stata_dta>": "stata",
    b"$FL2@(#)": "spss",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"version https://git-lfs": "lfs",
    b"<!doctype html": "html",
    b"<html": "html",
}
_LONGEST_START = max(map(len, _STARTS))


def is_foreign(path: str) -> bool:
    """Return true for a suffix of another program's files."""
    return Path(path).suffix.lower() in _SUFFIXES


def open_data(path: str, input_format: str | None = None) -> Input:
    """Open a file or standard input; refuse the files of other programs.

    input_format  that of --input-format: the suffix of the file then says nothing
    """
    by_suffix = _SUFFIXES.get(Path(path).suffix.lower(), "")
    if by_suffix in _PICKLES:
        raise _refusal(by_suffix, path, path)
    if not is_remote(path) and path_of(path).is_directory():
        raise InputError("is a directory", _files_in(path), path)
    source = open_input(path)
    try:
        _refuse_zip(path, source)
        start = source.head()[:_LONGEST_START]
        kinds = (kind for first, kind in _STARTS.items() if start.lower().startswith(first.lower()))
        kind = next(kinds, by_suffix if input_format is None else "")
        if kind:
            raise _refusal(kind, path, source.place)
    except BaseException:
        source.close()
        raise
    return source


def _files_in(directory: str) -> str:
    """Return the remedy for a directory that is given as a file."""
    for name in sorted(path_of(directory).names()):
        suffix = Path(name).suffix
        if suffix_format(name) is not None and suffix not in COMPRESSIONS:
            glob = path_of(directory).join(f"*{suffix}")
            return f"name a file in it, or a quoted glob such as '{glob}'"
    return "name a file, or a quoted glob"


def _refuse_zip(path: str, source: Input) -> None:
    """Refuse a zip whose first member is no array."""
    head = source.head()
    if not head.startswith(b"PK\x03\x04"):
        return
    size = int.from_bytes(head[26:28], "little")
    member = head[30 : 30 + size].decode("utf-8", "replace")
    if member == "[Content_Types].xml" or member.startswith(("docProps/", "_rels/", "xl/")):
        raise _refusal("excel", path, source.place)
    if member == "mimetype":
        raise _refusal("opendocument", path, source.place)
    if member.endswith(("/data.pkl", "/.format_version")):
        raise _refusal("torch", path, source.place)
    if suffix_format(member) not in (None, BY_NAME["npy"]):
        problem = f"is a zip archive that begins with {shorten(member)}"
        raise InputError(problem, "unzip it, and name the file in it", source.place)


def _refusal(kind: str, path: str, place: str) -> InputError:
    problem, remedy = _KINDS[kind]
    file = Path("FILE" if path == "-" else path)
    names = {form: file.with_suffix(f".{form}").name for form in ("csv", "npy", "npz")}
    # The command must not overwrite its input.
    names = {form: f"new_{name}" if name == file.name else name for form, name in names.items()}
    return InputError(problem, remedy.format(path="FILE" if path == "-" else path, **names), place)
