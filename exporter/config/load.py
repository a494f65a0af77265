"""Read a configuration: bytes to tree, tree through models and rules, and if nothing is wrong to settings."""

from __future__ import annotations

import os
from collections.abc import Mapping as MappingOf
from pathlib import Path

from pydantic import ValidationError

from exporter.config import wording
from exporter.config.assemble import assemble
from exporter.config.document import MAX_BYTES, read_document
from exporter.config.environment import Expansion, hide_secrets
from exporter.config.rules import cross_problems
from exporter.config.schema import ConfigModel
from exporter.config.settings import Config
from exporter.config.tree import Mapping, Problem, plain
from exporter.errors import ConfigError, Fault


def load_config(path: Path, environ: MappingOf[str, str]) -> Config:
    """The configuration in the file `path`, with ``${NAME}`` taken from `environ`.

    Relative paths in it start at the file's folder. Raises `ConfigError` with everything that is wrong.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError([Fault(str(path), 0, 0, "", _unreadable(error))]) from None
    return parse_config(data, str(path), path.absolute().parent, environ)


def parse_config(text: bytes, file_name: str, base_dir: Path, environ: MappingOf[str, str]) -> Config:
    """The configuration in `text`; `file_name` is what faults call it, `base_dir` where paths start.

    Reads the files that hold secrets and certificates, and writes nothing. Raises `ConfigError` with
    everything that is wrong, in the file's order.
    """
    root, problems = read_document(text)
    folder = base_dir.absolute()
    model = None
    if root is not None:
        hide_secrets(root)
        expansion = Expansion(environ)
        expansion.expand(root)
        model, wrong = _checked(root, folder)
        problems = [*problems, *expansion.problems, *wrong]
    if model is None or problems:
        raise ConfigError(_faults(file_name, problems))
    return assemble(model, folder / Path(file_name).name)


def _checked(root: Mapping, folder: Path) -> tuple[ConfigModel | None, list[Problem]]:
    across = list(cross_problems(root))
    try:
        return ConfigModel.model_validate(plain(root), context=folder), across
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return None, [*wording.problems_of(root, details), *across]


def _faults(file_name: str, problems: list[Problem]) -> list[Fault]:
    faults = dict.fromkeys(wording.fault(file_name, problem) for problem in problems)
    return sorted(faults, key=lambda fault: (fault.line, fault.column, fault.path))


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; name the configuration with --config.file"
    if isinstance(error, IsADirectoryError):
        return "this is a directory; name the file in it"
    reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "bad name"
    return f"the file cannot be read: {reason}"
