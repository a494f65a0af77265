"""Checked models to frozen settings."""

from __future__ import annotations

from pathlib import Path

from exporter.config.schema import (
    AccountModel,
    ApiModel,
    AuthModel,
    ConfigModel,
    MediaModel,
    OAuth1Model,
    OAuth2Model,
    PollModel,
    PostModel,
)
from exporter.config.schema_remote import BasicAuthModel, RemoteWriteModel, TlsConfigModel
from exporter.config.settings import (
    AccountConfig,
    ApiSettings,
    Auth,
    BasicAuth,
    BearerAuth,
    Config,
    HistorySettings,
    OAuth1Auth,
    OAuth2Auth,
    PollSettings,
    RemoteWriteSettings,
    Secret,
    TlsSettings,
)
from exporter.config.values import in_table_order
from exporter.model import Item, Kind


def assemble(model: ConfigModel, file: Path) -> Config:
    """The settings of a configuration in which nothing is wrong, read from `file`."""
    return Config(
        file=file,
        api=_api(model.api),
        poll=_poll(model.poll),
        state_dir=model.state_dir,
        accounts=tuple(_account(account) for account in model.accounts),
        history=HistorySettings(keep_seconds=model.history.keep),
        remote_write=_remote_write(model.remote_write) if model.remote_write else None,
    )


def _api(api: ApiModel) -> ApiSettings:
    return ApiSettings(
        base_url=api.base_url,
        timeout_seconds=api.timeout,
        max_concurrency=api.max_concurrency,
        proxy_url=api.proxy_url or api.proxy_url_file,
        ca_file=api.ca_file,
    )


def _poll(poll: PollModel) -> PollSettings:
    return PollSettings(
        every_seconds=poll.every,
        offset_seconds=poll.offset,
        settle_seconds=poll.settle,
        stale_after_seconds=poll.stale_after,
        catch_up=poll.catch_up,
    )


def _remote_write(remote: RemoteWriteModel) -> RemoteWriteSettings:
    return RemoteWriteSettings(
        url=remote.url,
        basic_auth=_basic_auth(remote.basic_auth) if remote.basic_auth else None,
        bearer_token=remote.bearer_token,
        bearer_token_file=remote.bearer_token_file,
        headers=tuple(sorted(remote.headers.items(), key=lambda header: header[0])),
        tls=_tls(remote.tls_config),
        settle_seconds=remote.settle,
        external_labels=tuple(sorted(remote.external_labels.items())),
        timeout_seconds=remote.timeout,
    )


def _basic_auth(form: BasicAuthModel) -> BasicAuth:
    return BasicAuth(username=form.username, password=form.password, password_file=form.password_file)


def _tls(form: TlsConfigModel) -> TlsSettings:
    return TlsSettings(ca_file=form.ca_file, cert_file=form.cert_file, key_file=form.key_file)


def _account(account: AccountModel) -> AccountConfig:
    media = tuple(_item(Kind.MEDIA, account.name, entry) for entry in account.media)
    posts = tuple(_item(Kind.POST, account.name, entry) for entry in account.posts)
    return AccountConfig(
        name=account.name,
        auth=_auth(account.auth),
        items=media + posts,
        media_metrics=in_table_order(Kind.MEDIA, account.media_metrics),
        post_metrics=in_table_order(Kind.POST, account.post_metrics),
        post_source=account.post_source,
    )


def _item(kind: Kind, account: str, entry: MediaModel | PostModel) -> Item:
    labels = tuple(sorted(entry.labels.items()))
    return Item(id=entry.id, kind=kind, account=account, name=entry.name or entry.id, labels=labels)


def _auth(auth: AuthModel) -> Auth:
    if auth.oauth1:
        return _oauth1(auth.oauth1)
    if auth.oauth2:
        return _oauth2(auth.oauth2)
    return BearerAuth(token=auth.bearer_token, token_file=auth.bearer_token_file)


def _oauth1(form: OAuth1Model) -> OAuth1Auth:
    return OAuth1Auth(
        consumer_key=_given(form.consumer_key, form.consumer_key_file),
        consumer_secret=_given(form.consumer_secret, form.consumer_secret_file),
        access_token=_given(form.access_token, form.access_token_file),
        access_token_secret=_given(form.access_token_secret, form.access_token_secret_file),
    )


def _given(text: Secret | None, from_file: Secret | None) -> Secret:
    # The rules have made sure that one of them is there.
    return next(secret for secret in (text, from_file) if secret is not None)


def _oauth2(form: OAuth2Model) -> OAuth2Auth:
    return OAuth2Auth(
        client_id=form.client_id,
        client_secret=form.client_secret or form.client_secret_file,
        client_type=form.client_type,
    )
