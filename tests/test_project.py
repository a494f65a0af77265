"""The project around the code: locks, package, make targets, image."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import distributions, packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import exporter

LOCKS = ("requirements.txt", "requirements-build.txt", "requirements-dev.txt")
LONGEST_MODULE_LINES = 300
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def output(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    return subprocess.run(command, cwd=cwd, env=env, check=True, capture_output=True, text=True).stdout


def project(repo_root: Path) -> dict[str, Any]:
    return tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))


def locked_versions(lock: Path) -> dict[str, str]:
    text = lock.read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^ ]+)", text, re.MULTILINE))


def locked_extras(lock: Path) -> dict[str, set[str]]:
    pins = re.findall(r"^([a-z0-9-]+)\[([a-z0-9,-]+)\]==", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: set(extras.split(",")) for name, extras in pins}


def tracked_files(repo_root: Path) -> list[Path]:
    listing = output("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=repo_root)
    paths = (repo_root / name for name in listing.split("\0") if name)
    return [path for path in paths if path.is_file()]


def installed_packages() -> set[str]:
    return {canonicalize_name(each.metadata["Name"]) for each in distributions()}


def assert_satisfied(requirements: list[str], pins: dict[str, str]) -> None:
    for requirement in map(Requirement, requirements):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry(repo_root: Path, name: str) -> None:
    text = (repo_root / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_one_version_and_a_hash(repo_root: Path, name: str) -> None:
    entries = (repo_root / name).read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    packages = [line for line in entries if line and not line.lstrip().startswith("#")]
    assert packages
    assert [line for line in packages if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_the_locks_satisfy_the_declared_dependencies(repo_root: Path) -> None:
    declared = project(repo_root)
    groups = declared["dependency-groups"]
    dev = [entry for entry in groups["dev"] if isinstance(entry, str)]
    assert_satisfied(declared["project"]["dependencies"], locked_versions(repo_root / "requirements.txt"))
    assert_satisfied(groups["build"], locked_versions(repo_root / "requirements-build.txt"))
    assert_satisfied(dev, locked_versions(repo_root / "requirements-dev.txt"))


def test_the_locks_name_every_extra_that_a_locked_package_asks_for(repo_root: Path) -> None:
    # pip 23 looks past a pin without the extra, finds a newer release, and refuses it for want of a hash.
    lock = repo_root / "requirements-dev.txt"
    asked = [
        wanted
        for name in locked_versions(lock)
        if name in installed_packages()
        for wanted in map(Requirement, requires(name) or ())
        if wanted.extras and (wanted.marker is None or wanted.marker.evaluate({"extra": ""}))
    ]
    named = locked_extras(lock)
    assert asked
    assert [each for each in asked if not each.extras <= named.get(canonicalize_name(each.name), set())] == []


def test_the_locks_agree_with_each_other(repo_root: Path) -> None:
    runtime, build, dev = (locked_versions(repo_root / name) for name in LOCKS)
    assert runtime.items() | build.items() <= dev.items()


def test_the_runtime_lock_holds_everything_the_package_imports(repo_root: Path) -> None:
    imported: set[str] = set()
    for path in (repo_root / "exporter").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"exporter"}
    origins = packages_distributions()
    needed = {canonicalize_name(origins[module][0]) for module in foreign}
    assert needed <= locked_versions(repo_root / "requirements.txt").keys()


@pytest.fixture(scope="module")
def wheel(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-build-isolation", "--no-index", "--no-deps"]
    output(*PIP, "wheel", *offline, "--wheel-dir", str(folder), str(repo_root))
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_package(repo_root: Path, wheel: Path) -> None:
    ours = {
        str(p.relative_to(repo_root)) for p in tracked_files(repo_root) if repo_root / "exporter" in p.parents
    }
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == ours


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata_name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(archive.read(metadata_name).decode())
    assert metadata["Version"] == exporter.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"


def test_the_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    offline = ["--no-index", "--no-deps", "--target", str(installed)]
    output(*PIP, "install", *offline, str(wheel))
    alone = {"PYTHONPATH": str(installed)}
    imported = output(
        sys.executable, "-c", "import exporter; print(exporter.__file__)", cwd=tmp_path, env=alone
    )
    version = output(str(installed / "bin" / "x-analytics-exporter"), "--version", cwd=tmp_path, env=alone)
    assert Path(imported.strip()) == installed / "exporter" / "__init__.py"
    assert exporter.__version__ in version


def test_make_help_lists_every_target_meant_for_people(repo_root: Path) -> None:
    makefile = (repo_root / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    shown = output("make", "--no-print-directory", "help", cwd=repo_root)
    assert [line.split()[1] for line in shown.splitlines()] == phony.split()


def test_the_image_is_made_only_from_files_its_builder_is_sent(repo_root: Path) -> None:
    dockerfile = (repo_root / "Dockerfile").read_text(encoding="utf-8")
    sources = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE)]
    copied = {name for names in sources for name in names}
    sent = re.findall(r"^!(.*)$", (repo_root / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert copied == set(sent)
    assert [name for name in copied if not (repo_root / name).exists()] == []


def test_the_image_runs_as_a_numbered_user_other_than_root(repo_root: Path) -> None:
    dockerfile = (repo_root / "Dockerfile").read_text(encoding="utf-8")
    # Kubernetes' runAsNonRoot can only check a number.
    assert re.findall(r"^USER ([1-9]\d*):([1-9]\d*)$", dockerfile, re.MULTILINE)


def test_the_changelog_tags_every_entry_and_knows_this_version(repo_root: Path) -> None:
    text = (repo_root / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.findall(r"^- (.*)$", text, re.MULTILINE)
    assert entries
    assert [entry for entry in entries if not re.match(r"\[(FEATURE|CHANGE|BUGFIX)\] \S", entry)] == []
    newest = re.findall(r"^## (\S+)", text, re.MULTILINE)[0]
    assert newest in {"Unreleased", exporter.__version__}


def test_no_module_outgrows_what_one_reads_in_a_sitting(repo_root: Path) -> None:
    lengths = {
        str(path.relative_to(repo_root)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (repo_root / "exporter").rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE_LINES} == {}


def test_no_file_names_the_place_of_this_checkout(repo_root: Path) -> None:
    here = str(repo_root.parent).encode() + b"/"
    naming = [str(path) for path in tracked_files(repo_root) if here in path.read_bytes()]
    assert naming == []
