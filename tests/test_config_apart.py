"""Reading a configuration in another process gives what reading it here gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.config.apart import Reading, load_config_apart
from exporter.config.load import load_config
from exporter.errors import ConfigError

TEXT = """
api: {proxy_url: "http://user:${PASSWORD}@proxy:3128"}
accounts:
  - name: bearer
    auth: {bearer_token: "${TOKEN}"}
    media: [{id: "13_1", name: Trailer, labels: {campaign: spring}}]
  - name: signed
    auth: {oauth1: {consumer_key: a, consumer_secret: b, access_token: c, access_token_secret: d}}
    posts: [1]
  - name: renewed
    auth: {oauth2: {client_id: e, client_secret: f, client_type: confidential}}
    posts: [2]
    post_metrics: [likes]
"""
ENVIRONMENT = {"PASSWORD": "pass%20word", "TOKEN": "made-up"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_the_configuration_is_the_same_secrets_included(file: Path) -> None:
    config = load_config_apart(file, ENVIRONMENT)
    assert config == load_config(file, ENVIRONMENT)
    assert config.api.proxy_url is not None
    assert config.api.proxy_url.reveal() == "http://user:pass%20word@proxy:3128"
    assert "made-up" not in repr(config)


def test_what_is_wrong_is_told_in_the_same_words(file: Path, tmp_path: Path) -> None:
    for path in (file, tmp_path / "missing.yaml"):
        with pytest.raises(ConfigError) as here:
            load_config(path, {})
        with pytest.raises(ConfigError) as apart:
            load_config_apart(path, {})
        assert apart.value.faults == here.value.faults


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python"])
def test_where_no_other_process_can_do_it_this_one_does(python: str, file: Path) -> None:
    assert Reading(file, ENVIRONMENT, python).result() == load_config(file, ENVIRONMENT)


def test_a_daemon_without_web_configuration_loads_nothing_that_it_does_not_use() -> None:
    # Whoever imports these keeps them in memory.
    script = """
import json, sys
from exporter.commands.lean import without_terminal
with without_terminal():
    import exporter.commands.run, exporter.daemon, exporter.reality
spared = ("bcrypt", "greenlet", "jinja2", "pydantic", "rich", "watchfiles", "yaml")
print(json.dumps([name for name in spared if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == []
