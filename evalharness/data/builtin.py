"""Where the rubrics and sample data that come with the program are: inside a wheel, or beside a checkout."""

from __future__ import annotations

from pathlib import Path

from evalharness.errors import MissingDependencyError

_PACKAGE = Path(__file__).resolve().parents[1]


def builtin_folder(kind: str) -> Path:
    """The folder ``rubrics`` or ``datasets`` of the installed package, or of the checkout it runs from."""
    for folder in (_PACKAGE / "builtin" / kind, _PACKAGE.parent / kind):
        if folder.is_dir():
            return folder
    raise MissingDependencyError(f"the built-in {kind} are not installed", fix="Install evalharness again.")


def builtin_rubrics() -> dict[str, Path]:
    """The built-in rubric files by name."""
    return {path.stem: path for path in sorted(builtin_folder("rubrics").glob("*.yaml"))}
