"""Each wrong file in data/config says exactly what stands beside it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from exporter.config.document import read_document
from exporter.config.load import parse_config
from exporter.errors import ConfigError

DATA = Path(__file__).parent / "data" / "config"
WRONG_FILES = sorted(DATA.glob("*.bad.yaml"))
ENVIRONMENT = {"SECRET": "made-up", "FIVE_HOURS": "5h"}


def told(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(file.read_bytes(), "config.yaml", DATA, ENVIRONMENT)
    return f"{caught.value}\n"


def test_there_are_wrong_files() -> None:
    assert len(WRONG_FILES) > 70


@pytest.mark.parametrize("file", WRONG_FILES, ids=lambda file: file.name)
def test_a_wrong_file_is_told_in_exactly_these_words(file: Path) -> None:
    assert told(file) == file.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", WRONG_FILES, ids=lambda file: file.name)
def test_no_wrong_file_repeats_a_secret_or_the_words_of_a_library(file: Path) -> None:
    text = told(file).casefold()
    for never in ("made-up", "made up", "pydantic", "input", "validation", "instance of", "yaml.org"):
        assert never not in text


@pytest.mark.parametrize("file", WRONG_FILES, ids=lambda file: file.name)
def test_both_of_yamls_parsers_find_the_same(file: Path) -> None:
    fast, plain = read_document(file.read_bytes()), read_document(file.read_bytes(), yaml.SafeLoader)
    assert [(each.mark.line, each.path, each.message) for each in fast[1]] == [
        (each.mark.line, each.path, each.message) for each in plain[1]
    ]


def test_faults_come_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config((DATA / "wrong-types.bad.yaml").read_bytes(), "config.yaml", DATA, {})
    places = [(fault.line, fault.column) for fault in caught.value.faults]
    assert places == sorted(places)
    assert len(set(places)) > 5
