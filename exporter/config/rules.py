"""Rules across keys: exactly one way to sign in, nothing twice, nothing withdrawn before it can be renewed.

They look at the file's tree, not at the models, so that they speak up beside every other problem. Where
a value is wrong in itself they stay silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from exporter.config import schema, tree, values
from exporter.config.schema import AUTH_FORMS, PollModel
from exporter.config.schema_remote import SIGN_IN_FORMS
from exporter.config.tree import Mapping, Mark, Node, Path, Problem, Scalar, Sequence
from exporter.model import Kind

_KEYS: Final = {Kind.MEDIA: "media", Kind.POST: "posts"}


def cross_problems(root: Mapping) -> Iterator[Problem]:
    """Everything that is wrong between keys."""
    yield from _staleness(root)
    names, ids = _Seen("this account name"), _Seen("this item")
    for path, account in _accounts(root):
        yield from _account_name(names, path, account)
        yield from _watch_list(ids, path, account)
        for kind in Kind:
            yield from _metrics(kind, path, account)
        yield from _unanswerable(path, account)
        yield from _sign_in(path, account)
    api = root.get("api")
    if isinstance(api, Mapping):
        yield from _value_or_file(("api",), api, "proxy_url", required=False)
    remote = root.get("remote_write")
    if isinstance(remote, Mapping):
        yield from _remote_write(("remote_write",), remote)


@dataclass(slots=True)
class _Seen:
    """What stood where, to find it standing there again."""

    what: str
    first: dict[str, tuple[Path, Mark]] = field(default_factory=dict)

    def again(self, value: str, path: Path, mark: Mark) -> Iterator[Problem]:
        """A problem if `value` was seen before."""
        if value not in self.first:
            self.first[value] = (path, mark)
            return
        before, line = tree.dotted(self.first[value][0]), self.first[value][1].line
        yield Problem(mark, path, f"{self.what} stands twice, first as {before} in line {line}; keep one")


def _accounts(root: Mapping) -> Iterator[tuple[Path, Mapping]]:
    accounts = root.get("accounts")
    for index, account in enumerate(accounts.items if isinstance(accounts, Sequence) else ()):
        if isinstance(account, Mapping):
            yield ("accounts", index), account


def _account_name(names: _Seen, path: Path, account: Mapping) -> Iterator[Problem]:
    name = _text(account.get("name"))
    if name is not None:
        yield from names.again(name.text, (*path, "name"), name.mark)


def _watch_list(ids: _Seen, path: Path, account: Mapping) -> Iterator[Problem]:
    watched = False
    for kind, key in _KEYS.items():
        listed = account.get(key)
        for index, entry in enumerate(listed.items if isinstance(listed, Sequence) else ()):
            yield from _item(ids, kind, (*path, key, index), entry)
        watched = watched or not _is_empty(listed)
    if not watched:
        yield Problem(account.mark, path, "nothing to watch; allowed: at least one entry in media or posts")


def _is_empty(node: Node | None) -> bool:
    if node is None or (isinstance(node, Sequence) and not node.items):
        return True
    return isinstance(node, Scalar) and node.is_null and not node.broken


def _item(ids: _Seen, kind: Kind, path: Path, entry: Node) -> Iterator[Problem]:
    place = (*path, "id") if isinstance(entry, Mapping) else path
    text = _text(entry.get("id") if isinstance(entry, Mapping) else entry)
    known = values.item_id(kind, text.text) if text else None
    if text and known:
        yield from ids.again(known, place, text.mark)


def _metrics(kind: Kind, path: Path, account: Mapping) -> Iterator[Problem]:
    key = f"{kind}_metrics"
    listed, seen = account.get(key), _Seen("this metric")
    for index, entry in enumerate(listed.items if isinstance(listed, Sequence) else ()):
        text = _text(entry)
        metric = values.metric(kind, text.text) if text else None
        if metric:
            yield from seen.again(metric.name, (*path, key, index), entry.mark)


def _unanswerable(path: Path, account: Mapping) -> Iterator[Problem]:
    source, listed = _text(account.get("post_source")), account.get("post_metrics")
    if source is None or source.text != "tweets_analytics" or not isinstance(listed, Sequence):
        return
    texts = [text.text for text in map(_text, listed.items) if text]
    metrics = [values.metric(Kind.POST, text) for text in texts]
    if metrics and all(metric and metric.twin is None for metric in metrics):
        message = "tweets_analytics has none of these metrics; choose others, or another post_source"
        yield Problem(listed.mark, (*path, "post_metrics"), message)


def _sign_in(path: Path, account: Mapping) -> Iterator[Problem]:
    auth, path = account.get("auth"), (*path, "auth")
    if not isinstance(auth, Mapping):
        return
    forms = [form for form in AUTH_FORMS if form in auth.entries]
    unknown = not forms and auth.entries
    if len(forms) != 1 and not unknown:
        mark = auth.entries[forms[1]].key_mark if forms else auth.mark
        given = " and ".join(forms) if forms else "none of them"
        yield Problem(mark, path, f"found {given}; allowed: exactly one of {', '.join(AUTH_FORMS)}")
    for name, check in _FORMS.items():
        form = _form(auth.get(name))
        if form:
            yield from check((*path, name), form)


def _form(node: Node | None) -> Mapping | None:
    """The mapping at `node`, empty where the form is named and nothing stands below it."""
    if isinstance(node, Scalar) and _is_empty(node):
        return Mapping(node.mark)
    return node if isinstance(node, Mapping) and not node.broken else None


def _oauth1(path: Path, form: Mapping) -> Iterator[Problem]:
    for key in schema.OAUTH1_KEYS:
        yield from _value_or_file(path, form, key, required=True)


def _oauth2(path: Path, form: Mapping) -> Iterator[Problem]:
    kind = form.get("client_type")
    given = _text(kind)
    if kind is None or (given and given.text == "confidential"):
        yield from _value_or_file(path, form, "client_secret", required=True)
    elif given and given.text == "public":
        for key in ("client_secret", "client_secret_file"):
            if key in form.entries:
                message = "a public client has no secret; remove this key, or set client_type: confidential"
                yield Problem(form.entries[key].key_mark, (*path, key), message)


_FORMS: Final[dict[str, Callable[[Path, Mapping], Iterator[Problem]]]] = {
    "oauth1": _oauth1,
    "oauth2": _oauth2,
}


def _remote_write(path: Path, remote: Mapping) -> Iterator[Problem]:
    headers = remote.get("headers")
    entries = headers.entries if isinstance(headers, Mapping) else {}
    forms: list[tuple[str, Mark]] = [
        (form, remote.entries[form].key_mark) for form in SIGN_IN_FORMS if form in remote.entries
    ]
    seen = _Seen("this header")
    for name, entry in entries.items():
        yield from seen.again(name.casefold(), (*path, "headers"), entry.key_mark)
        if name.casefold() == "authorization":
            forms.append(("the header Authorization", entry.key_mark))
    if len(forms) > 1:
        given = " and ".join(form for form, _ in forms)
        allowed = f"at most one of {', '.join(SIGN_IN_FORMS)} and the header Authorization"
        yield Problem(max(mark for _, mark in forms), path, f"found {given}; allowed: {allowed}")
    basic = _form(remote.get("basic_auth"))
    if basic:
        yield from _value_or_file((*path, "basic_auth"), basic, "password", required=True)
    tls = remote.get("tls_config")
    if isinstance(tls, Mapping):
        yield from _client_certificate((*path, "tls_config"), tls)
        yield from _tls_for_http(path, remote)


def _client_certificate(path: Path, tls: Mapping) -> Iterator[Problem]:
    pair = ("cert_file", "key_file")
    given = [key for key in pair if key in tls.entries]
    if len(given) == 1:
        message = f"found {given[0]} alone; allowed: both of {' and '.join(pair)}, or neither"
        yield Problem(tls.entries[given[0]].key_mark, path, message)


def _tls_for_http(path: Path, remote: Mapping) -> Iterator[Problem]:
    url = _text(remote.get("url"))
    if url and url.text.casefold().startswith("http://"):
        mark = remote.entries["tls_config"].key_mark
        yield Problem(mark, (*path, "tls_config"), "an http:// url has no TLS; use https://, or remove this")


def _value_or_file(path: Path, parent: Mapping, key: str, *, required: bool) -> Iterator[Problem]:
    from_file = f"{key}_file"
    if key in parent.entries and from_file in parent.entries:
        mark = max(parent.entries[key].key_mark, parent.entries[from_file].key_mark)
        yield Problem(mark, path, f"found {key} and {from_file}; allowed: one of the two")
    elif required and key not in parent.entries and from_file not in parent.entries:
        yield Problem(
            parent.mark, (*path, key), f"this key is required and missing; give {key} or {from_file}"
        )


def _staleness(root: Mapping) -> Iterator[Problem]:
    poll = root.get("poll")
    section = poll if isinstance(poll, Mapping) else Mapping(root.mark)
    parts = {key: _duration(section, key) for key in ("settle", "offset", "every", "stale_after")}
    settle, offset, every, stale_after = (parts[key] for key in parts)
    if settle is None or offset is None or every is None or stale_after is None:
        return
    least = settle + offset + 2 * every
    if stale_after >= least:
        return
    sum_text = "settle + offset + 2 * every"
    given = section.get("stale_after")
    if not any(node.hidden for node in map(section.get, parts) if node):
        sums = [values.duration_text(seconds) for seconds in (least, settle, offset, every)]
        sum_text = f"{sums[0]}, which is settle {sums[1]} + offset {sums[2]} + 2 * every {sums[3]}"
    what = tree.shown(given) if given else f"the default {values.duration_text(stale_after)}"
    mark = given.mark if given else section.mark
    yield Problem(mark, ("poll", "stale_after"), f"found {what}; allowed: at least {sum_text}")


def _duration(section: Mapping, key: str) -> int | None:
    node = section.get(key)
    if node is None:
        return values.duration_seconds(PollModel.model_fields[key].default)
    text = _text(node)
    return values.duration_seconds(text.text) if text else None


def _text(node: Node | None) -> Scalar | None:
    """`node` where it is a text that can be looked at."""
    return node if isinstance(node, Scalar) and not node.is_null and not node.broken else None
