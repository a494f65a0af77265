"""The keys below `remote_write`: where settled hours are sent, and how the receiver is signed in to."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from exporter.config import fieldtypes as types
from exporter.config import files, remotetypes
from exporter.config.checks import nothing_is
from exporter.config.modelling import (
    Section,
    at_most_one_of,
    defaulted,
    form,
    one_of,
    optional,
    required,
)
from exporter.config.refusal import RefusedError


class BasicAuthModel(Section):
    """A user of the receiver, and the password for it."""

    model_config = ConfigDict(json_schema_extra=one_of("password", "password_file"))

    username: remotetypes.UserName = required("The user.")
    password: remotetypes.Password = optional("The user's password.")
    password_file: remotetypes.PasswordFile = optional(
        "File that holds it, instead of it; read again at run time."
    )


class TlsConfigModel(Section):
    """What the receiver is trusted by, and the certificate that we show it."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {"cert_file": ["key_file"], "key_file": ["cert_file"]}}
    )

    ca_file: types.CaFile = optional("Certificates (PEM) to trust instead of the usual ones.")
    cert_file: types.CaFile = optional("The client's certificate (PEM), with those it hangs on behind it.")
    key_file: remotetypes.KeyFile = optional("The certificate's key (PEM), without a passphrase.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.cert_file and self.key_file:
            try:
                files.check_key_pair(self.cert_file, self.key_file)
            except files.UnusableFileError as error:
                raise RefusedError("a certificate and its own key", str(error)) from None
        return self


SIGN_IN_FORMS: Final = ("basic_auth", "bearer_token", "bearer_token_file")


class RemoteWriteModel(Section):
    """Where each hour is sent once it is settled: a receiver of Prometheus remote write."""

    model_config = ConfigDict(json_schema_extra=at_most_one_of(*SIGN_IN_FORMS))

    url: remotetypes.ReceiverUrl = required(
        "The receiver's address, such as http://prometheus.example:9090/api/v1/write."
    )
    basic_auth: Annotated[BasicAuthModel | None, form(BasicAuthModel)] = optional(
        "User and password to sign in with."
    )
    bearer_token: types.SecretText = optional("Token to sign in with.")
    bearer_token_file: types.TokenFile = optional(
        "File that holds it, instead of it; read again at run time."
    )
    headers: remotetypes.Headers = Field(
        default_factory=dict,
        description="Further headers of each message, such as X-Scope-OrgID; their values are kept secret.",
    )
    tls_config: Annotated[TlsConfigModel, nothing_is(dict)] = Field(
        default_factory=TlsConfigModel, description="What an https:// receiver is trusted by."
    )
    settle: types.LongWait = defaulted(
        "2h",
        "How long after its end an hour is sent, up to 48h. Each hour is sent once, so this should be as long"
        " as X still corrects it.",
    )
    external_labels: remotetypes.ExternalLabels = Field(
        default_factory=dict, description="Labels of your own for every series that is sent."
    )
    timeout: types.Timeout = defaulted("30s", "How long one message may take, 1s to 1h.")
