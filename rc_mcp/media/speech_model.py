"""The speech model that the operator named: a folder, or an installed package that has one. Nothing is downloaded."""

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_WEIGHTS, _TOKENIZER = "model.bin", "tokenizer.json"
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_ENGLISH_ONLY = 51_864
"""The number of tokens of Whisper's English models; the others have more, one for each language."""
_MOST_TOKENS_BYTES = 16 * 1024 * 1024


class ModelError(Exception):
    """There is no usable model. The text says why, and what to do."""


@dataclass(frozen=True)
class SpeechModel:
    """A Whisper model in CTranslate2's format.

    Attributes:
        name: the package with its version, or the folder's name.
        is_english_only: it takes all speech for English, and cannot say that it is not.
        size_bytes: of all its files.
    """

    folder: Path
    name: str
    is_english_only: bool
    size_bytes: int

    def digest(self) -> str:
        """Return the SHA-256 of the model's files, as hex. It reads all of them.

        Raises:
            ModelError: a file cannot be read.
        """
        digest = hashlib.sha256()
        try:
            for path in _files(self.folder):
                with path.open("rb") as file:
                    digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise _unreadable(self.folder, error) from None
        return digest.hexdigest()


def find_model(named: str) -> SpeechModel:
    """Return the model in a folder, or in an installed package, which is not imported.

    Args:
        named: a path with a separator, or the name of a package.

    Raises:
        ModelError: there is none, or a file of it is missing.
    """
    is_path = bool(re.search(r"[/\\]", named)) or named.startswith(("~", "."))
    if is_path:
        try:
            folder = Path(named).expanduser().absolute()
        except RuntimeError:
            raise ModelError(f"{named} names a home folder that does not exist.") from None
        return _model_in(folder, folder.name)
    try:
        package = distribution(named)
    except (PackageNotFoundError, ValueError):
        raise ModelError(
            f"No package {named} is installed next to rc-mcp. Install it, or give the path of a folder with a model."
        ) from None
    return _model_in(_folder_of(package, named), f"{package.name} {package.version}")


def _folder_of(package: Distribution, named: str) -> Path:
    found = [file for file in package.files or () if file.name == _WEIGHTS]
    if not found:
        raise ModelError(f"The package {named} has no {_WEIGHTS}: it has no model in CTranslate2's format.")
    return Path(str(package.locate_file(found[0]))).parent


def _model_in(folder: Path, name: str) -> SpeechModel:
    try:
        if not folder.is_dir():
            raise ModelError(f"{folder} is not a folder.")
        there = {path.name for path in folder.iterdir()}
        # Without its tokenizer, faster-whisper would fetch one from a hub.
        missing = [name for name in (_WEIGHTS, "config.json", _TOKENIZER) if name not in there]
        if not missing and not there.intersection(_VOCABULARIES):
            missing = [_VOCABULARIES[0]]
        if missing:
            raise ModelError(f"{folder} has no {missing[0]}: it is not a whole model in CTranslate2's format.")
        tokens = _tokens(folder)
        size = sum(path.stat().st_size for path in _files(folder))
    except OSError as error:
        raise _unreadable(folder, error) from None
    if tokens < _ENGLISH_ONLY:
        raise ModelError(f"{folder} has {tokens:,} tokens: it is not a Whisper model.")
    return SpeechModel(folder, name, tokens == _ENGLISH_ONLY, size)


def _tokens(folder: Path) -> int:
    path = next(folder / name for name in _VOCABULARIES if (folder / name).is_file())
    with path.open("rb") as file:
        content = file.read(_MOST_TOKENS_BYTES)
    if path.suffix == ".txt":
        return len(content.decode("utf-8", "replace").split("\n")) - content.endswith(b"\n")
    try:
        return len(json.loads(content))
    except (ValueError, TypeError, RecursionError):
        raise ModelError(f"{path} cannot be read: it is not a list of tokens.") from None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in {".bin", ".json", ".txt"})


def _unreadable(folder: Path, error: OSError) -> ModelError:
    return ModelError(f"{folder} cannot be read: {error.strerror}.")
