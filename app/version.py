"""The version of the wallet, and a build id computed from its source.

The build id is a hash over the source: a checkout and an image of the same code have the same one,
and whoever runs other code than was released sees it, with no step that could be forgotten.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from app import __version__

VERSION: Final = __version__
BUILD_DIGITS: Final = 12

_CODE: Final = Path(__file__).resolve().parent
_ROOTS: Final = (_CODE, _CODE.parent / "migrations")
_SUFFIXES: Final = frozenset({".py", ".sql"})


@cache
def build_id() -> str:
    """Hash the names and contents of our source files; about ten milliseconds, once a process."""
    digest = sha256()
    for root in _ROOTS:
        for path in sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES):
            name = path.relative_to(_CODE.parent).as_posix().encode()
            content = path.read_bytes()
            digest.update(b"%d %s %d " % (len(name), name, len(content)))
            digest.update(content)
    return digest.hexdigest()[:BUILD_DIGITS]
