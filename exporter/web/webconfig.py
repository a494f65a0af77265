"""The web configuration file: exporter-toolkit's format, for TLS, passwords, headers and a rate limit.

Every key of that format is known. What Python's TLS cannot do is refused by name, and so is every key that
is not known. The file itself is read as the main configuration is, by `exporter.config`, but without
environment variables: a bcrypt hash is full of dollar signs.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from exporter.config import wording
from exporter.config.document import MAX_BYTES, read_document
from exporter.config.environment import hide_secrets
from exporter.config.settings import Secret
from exporter.config.tree import Mapping, Mark, Problem, is_plain_key
from exporter.errors import ConfigError, Fault
from exporter.web.section import Section
from exporter.web.tls import UnusableTlsError, build_context
from exporter.web.tlskeys import KEYS as TLS_KEYS
from exporter.web.tlskeys import PEM_KEYS, boolean, read_tls
from exporter.web.webkeys import HEADERS, RateLimit, read_headers, read_rate_limit, read_users

_KEYS: Final = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
# Their values are never repeated; certificates are not secret, but a key may have slipped among them.
_HIDDEN: Final = ("key", "cert", "client_ca")

Stamp = tuple[int, ...] | None
"""What tells one state of a file from another; None while there is no such file."""


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file asks for.

    `tls` is the context for new connections, None for plain HTTP. `users` are bcrypt hashes by user name;
    where there are none, no password is asked for. `headers` go with every answer. `stamps` are the file
    and the files that it names, as they were just before they were read.
    """

    file: Path
    stamps: MappingOf[Path, Stamp]
    tls: ssl.SSLContext | None
    users: MappingOf[str, Secret]
    headers: tuple[tuple[str, str], ...]
    rate_limit: RateLimit | None


def stamp(path: Path) -> Stamp:
    """The present state of the file at `path`."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def load_web_config(path: Path) -> WebConfig:
    """The web configuration in the file `path`, its certificates loaded.

    Relative paths in it start at the file's folder. Raises `ConfigError` with everything that is wrong.
    """
    stamps = {path: stamp(path)}
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError([Fault(str(path), 0, 0, "", _unreadable(error))]) from None
    root, problems = _tree(data)
    config = _Reading(path, stamps, problems).config(root) if root is not None else None
    if config is None or problems:
        raise ConfigError(_faults(str(path), problems))
    return config


class _Reading:
    """One reading of the file: what is wrong is added to `problems`, what is read to `stamps`."""

    def __init__(self, path: Path, stamps: dict[Path, Stamp], problems: list[Problem]) -> None:
        self._path = path
        self._stamps = stamps
        self._problems = problems

    def config(self, root: Mapping) -> WebConfig:
        """What the file asks for, as far as it is right."""
        top = Section(root, (), self._problems, _KEYS)
        tls = self._tls(top.section("tls_server_config", TLS_KEYS))
        http = top.section("http_server_config", ("http2", "headers"))
        http.value("http2", boolean, "true or false")
        return WebConfig(
            file=self._path,
            stamps=MappingProxyType(self._stamps),
            tls=tls,
            users=MappingProxyType(read_users(top.section("basic_auth_users", None))),
            headers=read_headers(http.section("headers", tuple(HEADERS))),
            rate_limit=read_rate_limit(top.section("rate_limit", ("interval", "burst"))),
        )

    def _tls(self, section: Section) -> ssl.SSLContext | None:
        keys = read_tls(section, self._path.absolute().parent)
        if keys is None:
            return None
        self._stamps.update({file: stamp(file) for file in keys.files})
        try:
            return build_context(keys)
        except UnusableTlsError as error:
            for key, why in error.whys.items():
                section.refuse_value(key, why, PEM_KEYS.get(key, "another choice, or none"))
            return None


def _tree(data: bytes) -> tuple[Mapping | None, list[Problem]]:
    """The file's tree, secrets in it hidden; a file without keys asks for nothing and is right."""
    if all(line.split(b"#")[0].strip() in (b"", b"---", b"~", b"null") for line in data.splitlines()):
        return Mapping(Mark(1, 1)), []
    root, problems = read_document(data)
    if root is not None:
        _hide(root)
    return root, [_ours(problem) for problem in problems]


def _hide(root: Mapping) -> None:
    tls = root.get("tls_server_config")
    secrets = [tls.get(key) for key in _HIDDEN] if isinstance(tls, Mapping) else []
    for node in (root.get("basic_auth_users"), *secrets):
        if node is not None:
            hide_secrets(node, hidden=True)


def _ours(problem: Problem) -> Problem:
    # The one sentence in which the shared reader names a key of the main configuration.
    return replace(problem, message=problem.message.replace("such as accounts", "such as tls_server_config"))


def _faults(file: str, problems: list[Problem]) -> list[Fault]:
    faults = dict.fromkeys(wording.fault(file, _without_secrets(problem)) for problem in problems)
    return sorted(faults, key=lambda fault: (fault.line, fault.column, fault.path))


def _without_secrets(problem: Problem) -> Problem:
    # A hash that slipped into the place of a user's name must not be shown.
    shown = problem.path
    while shown and isinstance(shown[-1], str) and not is_plain_key(shown[-1]):
        shown = shown[:-1]
    return replace(problem, path=shown)


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; name the web configuration with --web.config.file"
    reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "bad name"
    return f"the file cannot be read: {reason}"
