"""The outer shape all three endpoints share, and what it means that a body does not have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from exporter.errors import WireError

Entry = TypeVar("Entry")

ABSENT = msgspec.Raw(b"null")


class Envelope(msgspec.Struct, Generic[Entry], gc=False):
    """``{"data": [...], "errors": [...]}``; X has sent `data` as one object too, and leaves either out.

    `errors` stays unread here, so that nothing in it can cost the data.
    """

    data: list[Entry] | Entry | None = None
    errors: msgspec.Raw = ABSENT

    def entries(self) -> Sequence[Entry]:
        """The entries of `data`, one object being a list of one."""
        if self.data is None:
            return ()
        return self.data if isinstance(self.data, list) else (self.data,)


def read_envelope(
    body: bytes,
    expected: msgspec.json.Decoder[Envelope[Entry]],
    tolerant: msgspec.json.Decoder[Envelope[Entry]],
) -> Envelope[Entry]:
    """Decode `body` with `expected`, which is fast, or else with `tolerant`, which leaves values unread.

    A value of an odd kind makes the first fail and costs only itself in the second.

    :raises WireError: the body is not JSON, or its envelope has another shape.
    """
    try:
        try:
            return expected.decode(body)
        except (msgspec.ValidationError, UnicodeDecodeError):
            return tolerant.decode(body)
    except msgspec.DecodeError as error:
        raise _wire_error(str(error)) from error
    except UnicodeDecodeError as error:
        raise WireError("$", "a text that is not UTF-8") from error
    except RecursionError as error:
        raise WireError("$", "nested too deeply to be read") from error


def _wire_error(message: str) -> WireError:
    # msgspec says "problem - at `path`", without the path where the whole body is meant.
    problem, _, path = message.partition(" - at ")
    return WireError(path.strip("`") or "$", problem)
