"""The files that are derived from the model, or show it: the JSON Schema, the reference page, the example."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import certifi
import jsonschema
import pytest
import yaml

from exporter.config.load import load_config, parse_config
from exporter.config.schema import MODELS, json_schema
from exporter.config.schema_file import REFERENCE_FILE, SCHEMA_FILE
from exporter.config.settings import BearerAuth, Config, OAuth1Auth, OAuth2Auth, RemoteWriteSettings

ENVIRONMENT = {
    "X_CLIENT_ID": "made-up",
    "X_CLIENT_SECRET": "made-up",
    "X_CONSUMER_KEY": "made-up",
    "X_CONSUMER_SECRET": "made-up",
    "X_ACCESS_TOKEN": "made-up",
    "X_ACCESS_TOKEN_SECRET": "made-up",
    "REMOTE_WRITE_PASSWORD": "made-up",
}
CURRENT = "not current; run python -m exporter.config.schema_file ."


@pytest.fixture
def example(repo_root: Path, tmp_path: Path) -> Path:
    """A copy of the example, beside the files that it names."""
    (tmp_path / "token").write_text("made-up\n")
    shutil.copy(certifi.where(), tmp_path / "ca.pem")
    return Path(shutil.copy(repo_root / "config.example.yaml", tmp_path))


def uncommented(text: str) -> str:
    """`text` with every key that the example only offers; prose has a space after its #."""
    return re.sub(r"^( *)#(?=[^ \n])", r"\1", text, flags=re.MULTILINE)


def complaints(text: str) -> list[str]:
    """What an editor says about `text`, which reads ``13_1`` as text, unlike PyYAML's other loaders."""
    checker = jsonschema.Draft202012Validator(json_schema())
    document: Any = yaml.load(text, yaml.BaseLoader)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document)]


@pytest.mark.parametrize("file", [SCHEMA_FILE, REFERENCE_FILE], ids=str)
def test_what_is_written_from_the_model_is_current(file: Path, repo_root: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "exporter.config.schema_file", str(tmp_path)], check=True)
    assert (repo_root / file).read_text(encoding="utf-8") == (tmp_path / file).read_text(encoding="utf-8"), (
        CURRENT
    )


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_every_key_has_a_meaning() -> None:
    for model in MODELS.values():
        assert all(field.description for field in model.model_fields.values())


def test_the_example_names_the_schema(repo_root: Path) -> None:
    first = (repo_root / "config.example.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=exporter/config/config.schema.json"
    assert (repo_root / first.partition("$schema=")[2]).is_file()


def test_the_example_loads(example: Path) -> None:
    config = load_config(example, {})
    assert [account.name for account in config.accounts] == ["brand"]
    assert [item.name for item in config.accounts[0].media] == ["13_1880028106020515840", "Launch trailer"]
    assert len(config.accounts[0].posts) == 3


def test_the_example_shows_the_defaults(example: Path) -> None:
    shown = load_config(example, {})
    text = "accounts: [{name: brand, auth: {bearer_token_file: token}, posts: [1]}]\n"
    plain: Config = parse_config(text.encode(), "config.example.yaml", example.parent, {})
    assert (shown.api, shown.poll, shown.state_dir) == (plain.api, plain.poll, plain.state_dir)
    assert (shown.history, shown.remote_write) == (plain.history, None)
    assert shown.accounts[0].media_metrics == plain.accounts[0].media_metrics
    assert shown.accounts[0].post_metrics == plain.accounts[0].post_metrics
    assert shown.accounts[0].post_source == plain.accounts[0].post_source


def test_the_example_loads_with_all_that_it_offers(example: Path) -> None:
    example.write_text(uncommented(example.read_text(encoding="utf-8")), encoding="utf-8")
    config = load_config(example, ENVIRONMENT)
    assert [type(account.auth) for account in config.accounts] == [BearerAuth, OAuth2Auth, OAuth1Auth]
    assert config.api.proxy_url is not None
    assert config.api.ca_file == example.parent / "ca.pem"
    assert config.remote_write is not None
    assert config.remote_write.basic_auth is not None
    assert config.remote_write.settle_seconds == RemoteWriteSettings(config.remote_write.url).settle_seconds
    assert config.remote_write.timeout_seconds == RemoteWriteSettings(config.remote_write.url).timeout_seconds


def test_the_example_names_every_key_but_the_file_forms(repo_root: Path) -> None:
    text = uncommented((repo_root / "config.example.yaml").read_text(encoding="utf-8"))
    keys = {key for model in MODELS.values() for key in model.model_fields}
    absent = {key for key in keys if not re.search(rf"\b{key}\b", text)}
    assert all(key.endswith("_file") for key in absent)


def test_the_example_satisfies_the_schema(repo_root: Path) -> None:
    text = (repo_root / "config.example.yaml").read_text(encoding="utf-8")
    assert complaints(text) == []
    assert complaints(uncommented(text)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "acounts: []",
        "accounts: []",
        "accounts: [{name: brand, auth: {bearer_token: a}}]",
        "accounts: [{name: Brand, auth: {bearer_token: a}, posts: [1]}]",
        "accounts: [{name: brand, auth: {}, posts: [1]}]",
        "accounts: [{name: brand, auth: {bearer_token: a, bearer_token_file: b}, posts: [1]}]",
        "accounts: [{name: brand, auth: {oauth1: {consumer_key: a}}, posts: [1]}]",
        "accounts: [{name: brand, auth: {bearer_token: a}, posts: [abc]}]",
        "accounts: [{name: brand, auth: {bearer_token: a}, media: ['13-1']}]",
        "accounts: [{name: brand, auth: {bearer_token: a}, posts: [{id: 1, labels: {job: a}}]}]",
        "accounts: [{name: brand, auth: {bearer_token: a}, posts: [1], post_metrics: [like]}]",
        "{poll: {every: hourly}, accounts: [{name: brand, auth: {bearer_token: a}, posts: [1]}]}",
    ],
)
def test_an_editor_finds_what_the_schema_can_tell(wrong: str) -> None:
    assert complaints(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "poll: {catch_up: maybe}",
        "history: {keep: always}",
        "remote_write: {}",
        "remote_write: {url: a, basic_auth: {username: a}}",
        "remote_write: {url: a, basic_auth: {username: a, password: b, password_file: c}}",
        "remote_write: {url: a, bearer_token: a, bearer_token_file: b}",
        "remote_write: {url: a, headers: {'X A': a}}",
        "remote_write: {url: a, tls_config: {cert_file: a}}",
        "remote_write: {url: a, external_labels: {metric: a}}",
    ],
)
def test_an_editor_finds_what_is_wrong_beside_the_accounts(wrong: str) -> None:
    accounts = "accounts: [{name: brand, auth: {bearer_token: a}, posts: [1]}]\n"
    assert complaints(accounts) == []
    assert complaints(f"{wrong}\n{accounts}")
