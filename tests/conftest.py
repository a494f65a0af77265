"""What every test may ask for: the repository's root, X's own reference pages, real parts, long runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent


def pytest_configure() -> None:
    """Choose how long generated tests run: the same few examples each time, or many new ones."""
    # A busy machine is no reason to fail.
    slow_is_fine = [HealthCheck.too_slow]
    settings.register_profile(
        "short", derandomize=True, deadline=None, print_blob=True, suppress_health_check=slow_is_fine
    )
    settings.register_profile(
        "soak", max_examples=10_000, deadline=None, print_blob=True, suppress_health_check=slow_is_fine
    )
    settings.load_profile("soak" if _is_soak() else "short")


def _is_soak() -> bool:
    return os.environ.get("SOAK") == "1"


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; CI must have it", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether this is `make soak`: a test with a short and a long form runs the long one."""
    return _is_soak()


@pytest.fixture(scope="session")
def missing() -> Callable[[str], NoReturn]:
    """End the test since something is not on this machine: a skip, a failure where CI=true."""
    return _missing


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with X's OpenAPI excerpts and endpoint pages, which are not ours to ship."""
    folder = ROOT.parent / "shared" / "reference"
    if not folder.is_dir():
        _missing("X's reference pages are not beside this checkout (../shared/reference)")
    return folder


@pytest.fixture(scope="session")
def part() -> Callable[[str], str]:
    """Where a real program is, by its command: ``part("promtool")`` gives its path."""
    return _part


def _part(command: str) -> str:
    package = _packages()[command]
    path = shutil.which(command)
    if path is None:
        _missing(f"{command} is not installed (Debian package {package})")
    return path


def _packages() -> dict[str, str]:
    """The Debian package of each command that tests may ask for."""
    lines = (ROOT / ".ci" / "parts").read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {command: package for command, package in pairs}  # noqa: C416 - says what the columns are
