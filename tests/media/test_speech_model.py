"""The speech model that an operator names."""

import json
import sys
from pathlib import Path

import pytest

from rc_mcp.media.speech_model import ModelError, find_model
from tests.speech import write_model


def install(site: Path, *, with_weights: bool = True) -> None:
    """Install a package that must not be imported."""
    write_model(site / "some_model" / "deep", without="" if with_weights else "model.bin")
    (site / "some_model" / "__init__.py").write_text("raise AssertionError", encoding="utf-8")
    info = site / "some_model-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-model\nVersion: 1.2\n", encoding="utf-8")
    record = [str(path.relative_to(site)) + ",," for path in site.rglob("*") if path.is_file()]
    (info / "RECORD").write_text("\n".join(record), encoding="utf-8")


def test_a_folder_is_a_model_and_its_tokens_say_which_languages_it_knows(tmp_path: Path) -> None:
    english = find_model(str(write_model(tmp_path / "tiny.en")))
    assert (english.name, english.is_english_only) == ("tiny.en", True)
    assert english.size_bytes == sum(path.stat().st_size for path in english.folder.iterdir())
    assert not find_model(str(write_model(tmp_path / "base", 51_865))).is_english_only


def test_the_vocabulary_may_be_json(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "large", without="vocabulary.txt")
    (folder / "vocabulary.json").write_text(json.dumps(["a"] * 51_866), encoding="utf-8")
    assert not find_model(str(folder)).is_english_only


def test_a_package_is_found_by_its_name_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    model = find_model("some-model")
    assert (model.name, model.folder) == ("some-model 1.2", tmp_path / "some_model" / "deep")


def test_a_package_without_a_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, with_weights=False)
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    with pytest.raises(ModelError, match="some-model"):
        find_model("some-model")


@pytest.mark.parametrize("without", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
def test_a_model_that_would_fetch_a_file_from_elsewhere_is_refused(tmp_path: Path, without: str) -> None:
    folder = write_model(tmp_path / "model", without=without)
    with pytest.raises(ModelError, match=without.partition(".")[0]):
        find_model(str(folder))


@pytest.mark.parametrize("named", ["no-such-package", "", "./nowhere", "~nobody-here/model", "a b", "../..", "x/\0"])
def test_what_is_no_model_is_refused(named: str) -> None:
    with pytest.raises(ModelError):
        find_model(named)


def test_another_model_is_refused_by_its_number_of_tokens(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        find_model(str(write_model(tmp_path / "other", 32_000)))


def test_a_list_of_tokens_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", without="vocabulary.txt")
    (folder / "vocabulary.json").write_text("7", encoding="utf-8")
    with pytest.raises(ModelError):
        find_model(str(folder))


def test_the_digest_changes_with_any_file_of_the_model(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    digests = {find_model(str(folder)).digest()}
    for path in sorted(folder.iterdir()):
        path.write_bytes(path.read_bytes() + b"\n" * (path.name != "vocabulary.txt"))
        digests.add(find_model(str(folder)).digest())
    assert len(digests) == 4
