"""The configuration's keys: which there are, what each takes, its default and its meaning.

These models hold the rules for single values; rules across keys are in `exporter.config.rules`. They are
also where the JSON Schema and the reference page come from. Defaults are written as in the file.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema

from exporter.config import fieldtypes as types
from exporter.config.checks import RefusedError, nothing_is
from exporter.model import Kind
from exporter.vocabulary import metrics_of


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        model_title_generator=lambda model: model.__name__.removesuffix("Model"),
    )


def _defaulted(default: str, meaning: str) -> Any:  # noqa: ANN401 - stands in place of any field's default
    return Field(default=default, description=meaning, validate_default=True)


def _optional(meaning: str) -> Any:  # noqa: ANN401
    return Field(default=None, description=meaning)


def _required(meaning: str) -> Any:  # noqa: ANN401
    return Field(description=meaning)


def _all_metrics(kind: Kind) -> Any:  # noqa: ANN401
    count = len(metrics_of(kind))
    meaning = f"Metrics to ask for and show, in snake_case or X's own spelling. Without it: all {count}."
    names = tuple(each.name for each in metrics_of(kind))
    return Field(default=names, min_length=1, description=meaning, validate_default=True)


def _one_of(*keys: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [key]} for key in keys]}


def _text_or_file(*keys: str) -> dict[str, Any]:
    return {"allOf": [_one_of(key, f"{key}_file") for key in keys]}


class ApiModel(_Model):
    """How X is reached."""

    base_url: types.BaseUrl = _defaulted(
        "https://api.x.com", "Where X's API is; https, except for a host on this machine."
    )
    timeout: types.Timeout = _defaulted("30s", "How long one request may take, 1s to 1h.")
    max_concurrency: types.Concurrency = Field(
        default=4, description="Requests in flight per account, 1 to 64."
    )
    proxy_url: types.ProxyUrl = _optional("HTTP proxy to go through; its password is kept secret.")
    proxy_url_file: types.ProxyUrlFile = _optional("File that holds the proxy's address, instead of it.")
    ca_file: types.CaFile = _optional("Certificates (PEM) to trust instead of the usual ones.")


class PollModel(_Model):
    """When X is asked, and how long a figure counts."""

    every: types.Every = _defaulted("1h", "How often each account and endpoint is polled, 1m to 24h.")
    offset: types.Wait = _defaulted("5m", "How long after the aligned UTC hour a poll starts, up to 24h.")
    settle: types.Wait = _defaulted(
        "0s", "How long after its end an hour counts as complete, for figures that arrive late, up to 24h."
    )
    stale_after: types.Duration = _defaulted(
        "4h",
        "How long after the end of the hour shown an item's values are withdrawn;"
        " at least settle + offset + 2 * every.",
    )


OAUTH1_KEYS: Final = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")


class OAuth1Model(_Model):
    """OAuth 1.0a: the keys of an app and of the user it acts for."""

    model_config = ConfigDict(json_schema_extra=_text_or_file(*OAUTH1_KEYS))

    consumer_key: types.SecretText = _optional("The app's API key.")
    consumer_key_file: types.SecretFile = _optional("File that holds it, instead of it.")
    consumer_secret: types.SecretText = _optional("The app's API key secret.")
    consumer_secret_file: types.SecretFile = _optional("File that holds it, instead of it.")
    access_token: types.SecretText = _optional("The user's access token for this app.")
    access_token_file: types.SecretFile = _optional("File that holds it, instead of it.")
    access_token_secret: types.SecretText = _optional("The user's access token secret.")
    access_token_secret_file: types.SecretFile = _optional("File that holds it, instead of it.")


class OAuth2Model(_Model):
    """OAuth 2.0 with refresh tokens; the command login obtains them and state_dir keeps them."""

    client_id: types.ClientId = _required("The app's OAuth 2.0 client id.")
    client_secret: types.SecretText = _optional("The app's client secret; not for a public client.")
    client_secret_file: types.SecretFile = _optional("File that holds it, instead of it.")
    client_type: types.ClientTypeChoice = _defaulted(
        "confidential", "As the app is registered with X: confidential (has a secret) or public (has none)."
    )


def _form(model: type[_Model]) -> BeforeValidator:
    # None is what stands for a form that is not used; a form named without anything below it is used.
    return BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=model)


AUTH_FORMS: Final = ("bearer_token_file", "bearer_token", "oauth1", "oauth2")


class AuthModel(_Model):
    """How an account signs in: exactly one of these."""

    model_config = ConfigDict(json_schema_extra=_one_of(*AUTH_FORMS))

    bearer_token_file: types.TokenFile = _optional(
        "File with a user-context access token; read again at run time, so another program may renew it."
    )
    bearer_token: types.SecretText = _optional("A user-context access token, not an app-only one.")
    oauth1: Annotated[OAuth1Model | None, _form(OAuth1Model)] = _optional(
        "OAuth 1.0a: the keys of an app and of the user it acts for."
    )
    oauth2: Annotated[OAuth2Model | None, _form(OAuth2Model)] = _optional(
        "OAuth 2.0 with refresh tokens, which the command login obtains."
    )


class _ItemModel(_Model):
    id: str
    name: types.DisplayName = _optional("Name to show; the id where there is none.")
    labels: types.Labels = Field(
        default_factory=dict, description="Labels of your own for the item's info series."
    )


class MediaModel(_ItemModel):
    """A media with a name or labels."""

    id: types.MediaKey = _required("The media key.")


class PostModel(_ItemModel):
    """A post with a name or labels."""

    id: types.PostId = _required("The post's id or its address.")


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


class AccountModel(_Model):
    """One account of X: who asks, and what is watched."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["media"]}, {"required": ["posts"]}]})

    name: types.AccountName = _required(
        "Name of the account in labels, logs and commands: lower-case letters, digits, _ and -, up to 63."
    )
    auth: AuthModel = _required("How the account signs in: exactly one of the forms below.")
    media: Annotated[tuple[MediaEntry, ...], nothing_is(list)] = Field(
        default=(), description="Media to watch: media keys, or mappings with id, name and labels."
    )
    posts: Annotated[tuple[PostEntry, ...], nothing_is(list)] = Field(
        default=(), description="Posts to watch: ids, addresses, or mappings with id, name and labels."
    )
    media_metrics: tuple[types.MediaMetric, ...] = _all_metrics(Kind.MEDIA)
    post_metrics: tuple[types.PostMetric, ...] = _all_metrics(Kind.POST)
    post_source: types.PostSourceChoice = _defaulted(
        "auto",
        "Where post figures come from: insights_28hr, tweets_analytics, or auto: the first, and the second"
        " while X refuses the first as retired or not part of the plan.",
    )


class ConfigModel(_Model):
    """Configuration of x-analytics-exporter."""

    api: Annotated[ApiModel, nothing_is(dict)] = Field(
        default_factory=ApiModel, description="How X is reached."
    )
    poll: Annotated[PollModel, nothing_is(dict)] = Field(
        default_factory=PollModel, description="When X is asked, and how long a figure counts."
    )
    state_dir: types.StateDir = _defaulted(
        "./state", "Directory for tokens and journal; created for the owner alone where it is missing."
    )
    accounts: tuple[AccountModel, ...] = Field(min_length=1, description="Who asks, and what is watched.")


# Where each model stands, list positions left out.
MODELS: Final[dict[tuple[str, ...], type[BaseModel]]] = {
    (): ConfigModel,
    ("api",): ApiModel,
    ("poll",): PollModel,
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
