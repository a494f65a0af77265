"""What is allowed in a configuration and yet worth a word when it is checked, loaded or reloaded."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.config.settings import Config


def cautions(config: Config) -> Iterator[str]:
    """A sentence each: what is doubtful, where, and what to do. No sentence repeats a secret."""
    remote = config.remote_write
    if remote and remote.has_credentials and remote.url.reveal().casefold().startswith("http://"):
        yield (
            "remote_write.url is plain http, so that everyone on the way can read the credentials sent along;"
            " use https unless the way is your own"
        )
