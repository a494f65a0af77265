"""The configuration's keys: which there are, what each takes, its default and its meaning.

These models hold the rules for single values; rules across keys are in `exporter.config.rules`. They are
also where the JSON Schema and the reference page come from. Defaults are written as in the file.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema

from exporter.config import fieldtypes as types
from exporter.config.checks import nothing_is
from exporter.config.modelling import Section, defaulted, form, one_of, optional, required, text_or_file
from exporter.config.refusal import RefusedError
from exporter.config.schema_remote import BasicAuthModel, RemoteWriteModel, TlsConfigModel
from exporter.model import Kind
from exporter.vocabulary import metrics_of


def _all_metrics(kind: Kind) -> Any:  # noqa: ANN401 - stands in place of any field's default
    count = len(metrics_of(kind))
    meaning = f"Metrics to ask for and show, in snake_case or X's own spelling. Without it: all {count}."
    names = tuple(each.name for each in metrics_of(kind))
    return Field(default=names, min_length=1, description=meaning, validate_default=True)


class ApiModel(Section):
    """How X is reached."""

    base_url: types.BaseUrl = defaulted(
        "https://api.x.com", "Where X's API is; https, except for a host on this machine."
    )
    timeout: types.Timeout = defaulted("30s", "How long one request may take, 1s to 1h.")
    max_concurrency: types.Concurrency = Field(
        default=4, description="Requests in flight per account, 1 to 64."
    )
    proxy_url: types.ProxyUrl = optional("HTTP proxy to go through; its password is kept secret.")
    proxy_url_file: types.ProxyUrlFile = optional("File that holds the proxy's address, instead of it.")
    ca_file: types.CaFile = optional("Certificates (PEM) to trust instead of the usual ones.")


class PollModel(Section):
    """When X is asked, and how long a figure counts."""

    every: types.Every = defaulted("1h", "How often each account and endpoint is polled, 1m to 24h.")
    offset: types.Wait = defaulted("5m", "How long after the aligned UTC hour a poll starts, up to 24h.")
    settle: types.Wait = defaulted(
        "0s", "How long after its end an hour counts as complete, for figures that arrive late, up to 24h."
    )
    stale_after: types.Duration = defaulted(
        "4h",
        "How long after the end of the hour shown an item's values are withdrawn;"
        " at least settle + offset + 2 * every.",
    )
    catch_up: types.Switch = defaulted(
        "true",
        "Whether X is asked again 5, 10 and 20 minutes after a poll for the hour that it did not have yet,"
        " within the extra requests that check-config shows.",
    )


class HistoryModel(Section):
    """The journal in state_dir: every hourly figure X reported."""

    keep: types.Keep = defaulted("35d", "How long hours are kept, 2d to 400d.")


OAUTH1_KEYS: Final = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")


class OAuth1Model(Section):
    """OAuth 1.0a: the keys of an app and of the user it acts for."""

    model_config = ConfigDict(json_schema_extra=text_or_file(*OAUTH1_KEYS))

    consumer_key: types.SecretText = optional("The app's API key.")
    consumer_key_file: types.SecretFile = optional("File that holds it, instead of it.")
    consumer_secret: types.SecretText = optional("The app's API key secret.")
    consumer_secret_file: types.SecretFile = optional("File that holds it, instead of it.")
    access_token: types.SecretText = optional("The user's access token for this app.")
    access_token_file: types.SecretFile = optional("File that holds it, instead of it.")
    access_token_secret: types.SecretText = optional("The user's access token secret.")
    access_token_secret_file: types.SecretFile = optional("File that holds it, instead of it.")


class OAuth2Model(Section):
    """OAuth 2.0 with refresh tokens; the command login obtains them and state_dir keeps them."""

    client_id: types.ClientId = required("The app's OAuth 2.0 client id.")
    client_secret: types.SecretText = optional("The app's client secret; not for a public client.")
    client_secret_file: types.SecretFile = optional("File that holds it, instead of it.")
    client_type: types.ClientTypeChoice = defaulted(
        "confidential", "As the app is registered with X: confidential (has a secret) or public (has none)."
    )


AUTH_FORMS: Final = ("bearer_token_file", "bearer_token", "oauth1", "oauth2")


class AuthModel(Section):
    """How an account signs in: exactly one of these."""

    model_config = ConfigDict(json_schema_extra=one_of(*AUTH_FORMS))

    bearer_token_file: types.TokenFile = optional(
        "File with a user-context access token; read again at run time, so another program may renew it."
    )
    bearer_token: types.SecretText = optional("A user-context access token, not an app-only one.")
    oauth1: Annotated[OAuth1Model | None, form(OAuth1Model)] = optional(
        "OAuth 1.0a: the keys of an app and of the user it acts for."
    )
    oauth2: Annotated[OAuth2Model | None, form(OAuth2Model)] = optional(
        "OAuth 2.0 with refresh tokens, which the command login obtains."
    )


class _ItemModel(Section):
    id: str
    name: types.DisplayName = optional("Name to show; the id where there is none.")
    labels: types.Labels = Field(
        default_factory=dict, description="Labels of your own for the item's info series."
    )


class MediaModel(_ItemModel):
    """A media with a name or labels."""

    id: types.MediaKey = required("The media key.")


class PostModel(_ItemModel):
    """A post with a name or labels."""

    id: types.PostId = required("The post's id or its address.")


def _entry(example: str) -> Any:  # noqa: ANN401 - a validator's input is anything
    def read(value: object) -> object:
        if isinstance(value, str):
            return {"id": value}
        if isinstance(value, dict):
            return value
        raise RefusedError(f"{example}, or a mapping with id, and name or labels where wanted")

    return read


MediaEntry = Annotated[
    MediaModel, BeforeValidator(_entry("a media key"), json_schema_input_type=types.MediaKey | MediaModel)
]
PostEntry = Annotated[
    PostModel,
    BeforeValidator(_entry("a post's id or address"), json_schema_input_type=types.PostId | PostModel),
]


class AccountModel(Section):
    """One account of X: who asks, and what is watched."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["media"]}, {"required": ["posts"]}]})

    name: types.AccountName = required(
        "Name of the account in labels, logs and commands: lower-case letters, digits, _ and -, up to 63."
    )
    auth: AuthModel = required("How the account signs in: exactly one of the forms below.")
    media: Annotated[tuple[MediaEntry, ...], nothing_is(list)] = Field(
        default=(), description="Media to watch: media keys, or mappings with id, name and labels."
    )
    posts: Annotated[tuple[PostEntry, ...], nothing_is(list)] = Field(
        default=(), description="Posts to watch: ids, addresses, or mappings with id, name and labels."
    )
    media_metrics: tuple[types.MediaMetric, ...] = _all_metrics(Kind.MEDIA)
    post_metrics: tuple[types.PostMetric, ...] = _all_metrics(Kind.POST)
    post_source: types.PostSourceChoice = defaulted(
        "auto",
        "Where post figures come from: insights_28hr, tweets_analytics, or auto: the first, and the second"
        " while X refuses the first as retired or not part of the plan.",
    )


class ConfigModel(Section):
    """Configuration of x-analytics-exporter."""

    api: Annotated[ApiModel, nothing_is(dict)] = Field(
        default_factory=ApiModel, description="How X is reached."
    )
    poll: Annotated[PollModel, nothing_is(dict)] = Field(
        default_factory=PollModel, description="When X is asked, and how long a figure counts."
    )
    state_dir: types.StateDir = defaulted(
        "./state", "Directory for tokens and journal; created for the owner alone where it is missing."
    )
    history: Annotated[HistoryModel, nothing_is(dict)] = Field(
        default_factory=HistoryModel, description="How long the journal in state_dir keeps hours."
    )
    remote_write: RemoteWriteModel | None = optional(
        "Where each hour is sent once it is settled. Without it: nowhere."
    )
    accounts: tuple[AccountModel, ...] = Field(min_length=1, description="Who asks, and what is watched.")


# Where each model stands, list positions left out.
MODELS: Final[dict[tuple[str, ...], type[BaseModel]]] = {
    (): ConfigModel,
    ("api",): ApiModel,
    ("poll",): PollModel,
    ("history",): HistoryModel,
    ("remote_write",): RemoteWriteModel,
    ("remote_write", "basic_auth"): BasicAuthModel,
    ("remote_write", "tls_config"): TlsConfigModel,
    ("accounts",): AccountModel,
    ("accounts", "auth"): AuthModel,
    ("accounts", "auth", "oauth1"): OAuth1Model,
    ("accounts", "auth", "oauth2"): OAuth2Model,
    ("accounts", "media"): MediaModel,
    ("accounts", "posts"): PostModel,
}


class _ForEditors(GenerateJsonSchema):
    def default_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's own signature
        """Leave out the defaults that only stand for a key that is not given."""
        described = super().default_schema(schema)
        if described.get("default", "") in (None, []):
            del described["default"]
        return described

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's own signature
        """Whether to make up titles from keys' names: they would only repeat them."""
        return False


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the configuration file, for editors."""
    schema = ConfigModel.model_json_schema(schema_generator=_ForEditors)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}
