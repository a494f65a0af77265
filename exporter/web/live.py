"""The web configuration as it is now: read again when its file, or a certificate that it names, changes."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter.errors import ConfigError
from exporter.web.webconfig import WebConfig, load_web_config, stamp

_LOOK_EVERY_SECONDS: Final = 1.0

_TLS_FIXED: Final = "TLS cannot be turned on or off while the exporter runs; restart it"
# A file that is being written may be read when half of it is there.
_NOT_OPENED: Final = (
    "passwords and client certificates cannot be given up while the exporter runs; restart it"
)


class LiveWebConfig:
    """`config`, renewed while it is used: asking for it looks at its files, once a second at most.

    What cannot be used changes nothing, and is logged once, until it is mended or wrong in another way.
    `monotonic` gives seconds.
    """

    def __init__(self, config: WebConfig, log: FilteringBoundLogger, monotonic: Callable[[], float]) -> None:
        self._config = config
        self._log = log
        self.monotonic = monotonic
        self._look_at = monotonic()
        self._complaint: str | None = None

    @property
    def serves_tls(self) -> bool:
        """Whether connections are to be TLS; stays as it is."""
        return self._config.tls is not None

    def current(self) -> WebConfig:
        """The configuration to go by now."""
        now = self.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY_SECONDS
            if self._complaint is not None or self._has_changed():
                self._renew()
        return self._config

    def tls_context(self) -> ssl.SSLContext | None:
        """The context for a connection that begins now; None for plain HTTP."""
        return self.current().tls

    def _has_changed(self) -> bool:
        return any(stamp(file) != known for file, known in self._config.stamps.items())

    def _renew(self) -> None:
        try:
            config = load_web_config(self._config.file)
        except ConfigError as error:
            self._complain(str(error.faults[0]), len(error.faults))
            return
        objection = _objection(self._config, config)
        if objection:
            self._complain(objection, 1)
            return
        self._config = config
        self._complaint = None
        self._log.info("web configuration reloaded", file=str(config.file))

    def _complain(self, complaint: str, faults: int) -> None:
        if complaint != self._complaint:
            self._log.error(
                "web configuration not reloaded, the old one stays", faults=faults, first=complaint
            )
        self._complaint = complaint


def _objection(old: WebConfig, new: WebConfig) -> str:
    """Why `new` must not follow upon `old`; empty where it may."""
    if (old.tls is None) != (new.tls is None):
        return _TLS_FIXED
    fewer_verified = old.tls is not None and new.tls is not None and new.tls.verify_mode < old.tls.verify_mode
    return _NOT_OPENED if fewer_verified or (old.users and not new.users) else ""
