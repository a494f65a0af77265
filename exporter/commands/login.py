"""`login`: an account's first token pair, by browser or from a refresh token somebody has."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click

from exporter.config.load import load_config
from exporter.config.settings import AccountConfig, Config, OAuth2Auth
from exporter.reality import open_http
from exporter.signin.introduction import Login
from exporter.signin.login import Talk
from exporter.signin.login import login as sign_in
from exporter.signin.scheme import Surroundings, Unobserved
from exporter.signin.schemes import open_access, open_keeper
from exporter.signin.terminal import TerminalLines
from exporter.signin.token_import import import_refresh_token


def login(
    config_file: Path,
    account: str,
    callback_port: int,
    refresh_token_file: Path | None,
    environ: Mapping[str, str],
) -> int:
    """Sign `account` in, store its tokens in the state directory, and return 0.

    Raises:
        ConfigError: the configuration is wrong.
        CredentialsError: the account was not signed in; the text says why and what to do.
        StartError: the port for the browser's return is taken.
    """
    config = load_config(config_file, environ)
    chosen, auth = _chosen(config, account)
    done = asyncio.run(_login(config, chosen, auth, callback_port, refresh_token_file))
    _report(done, config)
    return 0


def _chosen(config: Config, name: str) -> tuple[AccountConfig, OAuth2Auth]:
    account = next((account for account in config.accounts if account.name == name), None)
    if account is None:
        names = ", ".join(account.name for account in config.accounts)
        raise click.UsageError(f"the configuration has no account {name!r}; it has {names}")
    if not isinstance(account.auth, OAuth2Auth):
        raise click.UsageError(
            f"account {name!r} does not sign in with oauth2, so there is nothing to log in"
        )
    return account, account.auth


async def _login(
    config: Config, account: AccountConfig, auth: OAuth2Auth, port: int, token_file: Path | None
) -> Login:
    api = config.api
    async with open_http(api) as http:
        surroundings = Surroundings(http, time.time, asyncio.sleep, random.random)
        keeper = open_keeper(account.name, auth, config.state_dir, surroundings, Unobserved())
        x = open_access(auth, api, surroundings)
        if token_file is not None:
            return await import_refresh_token(keeper, x, surroundings, token_file)
        terminal = TerminalLines(sys.stdin.fileno()) if sys.stdin.isatty() else None
        return await sign_in(keeper, x, surroundings, Talk(click.echo, terminal), port)


def _report(done: Login, config: Config) -> None:
    whose = f"@{done.username} ({done.name})" if done.username else "an account whose name X did not tell"
    click.echo(f"Account {done.account} is signed in as {whose}.")
    click.echo(f"Its tokens may: {' '.join(done.scopes) or 'X did not say'}.")
    if done.missing_scopes:
        click.echo(f"They lack: {' '.join(done.missing_scopes)}. Figures may be refused for that.", err=True)
    click.echo(f"They are stored below {config.state_dir}; a running exporter takes them up by itself.")
