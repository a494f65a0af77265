"""What a right file comes to."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from exporter.config.load import load_config, parse_config
from exporter.config.settings import BearerAuth, Config, OAuth1Auth, OAuth2Auth, Secret
from exporter.errors import ConfigError
from exporter.model import Item, Kind
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS

LEAST = "accounts:\n  - name: brand\n    auth: {bearer_token: made-up}\n"


def parsed(text: str, folder: Path = Path(), **environ: str) -> Config:
    return parse_config(text.encode(), "config.yaml", folder, environ)


def told(text: str, folder: Path = Path(), **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(text, folder, **environ)
    return str(caught.value)


def media(text: str) -> tuple[Item, ...]:
    return parsed(f"{LEAST}    media: {text}\n").accounts[0].media


def posts(text: str) -> tuple[Item, ...]:
    return parsed(f"{LEAST}    posts: {text}\n").accounts[0].posts


def signing_in(auth: str, folder: Path = Path(), **environ: str) -> object:
    text = f"accounts:\n  - name: brand\n    auth: {auth}\n    posts: [1]\n"
    return parsed(text, folder, **environ).accounts[0].auth


def test_the_least_file_has_the_documented_defaults(tmp_path: Path) -> None:
    config = parsed(LEAST + "    media: [13_1]\n", tmp_path)
    assert config.file == tmp_path / "config.yaml"
    assert (config.api.base_url, config.api.timeout_seconds) == ("https://api.x.com", 30)
    assert (config.api.max_concurrency, config.api.proxy_url, config.api.ca_file) == (4, None, None)
    assert (config.poll.every_seconds, config.poll.offset_seconds) == (3600, 300)
    assert (config.poll.settle_seconds, config.poll.stale_after_seconds) == (0, 14400)
    assert config.state_dir == tmp_path / "state"
    assert not config.state_dir.exists()
    (account,) = config.accounts
    assert (account.media_metrics, account.post_metrics) == (MEDIA_METRICS, POST_METRICS)
    assert (account.name, account.post_source, account.posts) == ("brand", "auto", ())


@pytest.mark.parametrize("section", ["api:\n", "poll: ~\n", "api: {}\npoll: null\n"])
def test_a_section_whose_keys_are_all_commented_out_keeps_its_defaults(section: str) -> None:
    assert parsed(section + LEAST + "    media: [13_1]\n    posts:\n").poll.every_seconds == 3600


def test_items_are_media_first_in_the_order_of_the_file() -> None:
    account = parsed(LEAST + "    posts: [3, 1]\n    media: [13_2, 13_1]\n").accounts[0]
    assert [item.id for item in account.items] == ["13_2", "13_1", "3", "1"]
    assert [item.kind for item in account.items] == [Kind.MEDIA, Kind.MEDIA, Kind.POST, Kind.POST]
    assert account.media + account.posts == account.items


def test_an_item_carries_account_name_and_sorted_labels() -> None:
    (item,) = media("[{id: 13_1, name: Launch trailer, labels: {team: video, campaign: spring}}]")
    labels = (("campaign", "spring"), ("team", "video"))
    assert item == Item("13_1", Kind.MEDIA, "brand", "Launch trailer", labels)


@pytest.mark.parametrize(
    "key", ["13_1880028106020515840", '"13_1880028106020515840"', "{id: 13_1880028106020515840}"]
)
def test_a_media_key_needs_no_quotes(key: str) -> None:
    assert media(f"[{key}]")[0].id == media(f"[{key}]")[0].name == "13_1880028106020515840"


@pytest.mark.parametrize(
    "post",
    [
        "1880028106020515841",
        '"1880028106020515841"',
        "https://x.com/XDevelopers/status/1880028106020515841",
        "http://twitter.com/XDevelopers/status/1880028106020515841",
        "HTTPS://www.x.com/XDevelopers/status/1880028106020515841/",
        "https://mobile.twitter.com/XDevelopers/status/1880028106020515841/photo/1",
        "https://x.com/i/status/1880028106020515841",
        "https://x.com/i/web/status/1880028106020515841?s=20&t=abc",
        "https://x.com/XDevelopers/status/1880028106020515841/analytics",
        "https://x.com/XDevelopers/status/1880028106020515841/video/1?s=20",
        "x.com/XDevelopers/status/1880028106020515841",
    ],
)
def test_a_post_is_an_id_or_an_address(post: str) -> None:
    assert posts(f"[{post}]")[0].id == "1880028106020515841"
    assert posts(f"[{{id: {post}, name: Teaser}}]")[0].id == "1880028106020515841"


@pytest.mark.parametrize(
    "post",
    [
        "https://x.com.example/a/status/1",
        "https://evil.example/x.com/a/status/1",
        "https://x.com/a/status/",
        "https://x.com/a/status/12345678901234567890",
        "https://x.com/a/status/1x",
        "https://x.com/status/1",
        "ftp://x.com/a/status/1",
        "-1",
        "1.0",
        "0x10",
        "1_0",
        "١٢",
    ],
)
def test_anything_else_is_no_post(post: str) -> None:
    assert "allowed: a post id" in told(f'{LEAST}    posts: ["{post}"]\n')


@pytest.mark.parametrize("written", ["yes", "1.10", "0o17", "2026-10-07", "on", "1_000", "12:30:45", ".inf"])
def test_names_and_label_values_mean_what_is_written(written: str) -> None:
    (item,) = media(f"[{{id: 13_1, name: {written}, labels: {{version: {written}}}}}]")
    assert (item.name, item.labels) == (written, (("version", written),))


def test_an_account_may_be_called_no() -> None:
    assert parsed((LEAST + "    posts: [1]\n").replace("brand", "no")).accounts[0].name == "no"


def test_metrics_come_in_table_order_whatever_their_spelling() -> None:
    text = "    post_metrics: [VIDEO_VIEWS, UrlClicks, impressions]\n    media_metrics: [watchTimeMs]\n"
    account = parsed(LEAST + "    posts: [1]\n" + text).accounts[0]
    assert [metric.name for metric in account.post_metrics] == ["impressions", "url_clicks", "video_views"]
    assert [metric.name for metric in account.media_metrics] == ["watch_time_ms"]


def test_a_source_without_some_of_the_metrics_is_fine() -> None:
    text = "    posts: [1]\n    post_source: tweets_analytics\n    post_metrics: [likes, video_views]\n"
    assert parsed(LEAST + text).accounts[0].post_source == "tweets_analytics"


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("2m", 120), ("1h30m", 5400), ("1d", 86400), ("1h0m5s", 3605)]
)
def test_durations_are_read_as_prometheus_writes_them(written: str, seconds: int) -> None:
    text = f"poll: {{every: {written}, stale_after: 7d}}\n{LEAST}    posts: [1]\n"
    assert parsed(text).poll.every_seconds == seconds


@pytest.mark.parametrize("written", ["1h 30m", "30m1h", "h", "-1h", "1H", "", "1e3s", "9999999999s", "1w"])
def test_anything_else_is_no_duration(written: str) -> None:
    assert "allowed: a duration" in told(f'poll: {{every: "{written}"}}\n{LEAST}    posts: [1]\n')


def test_values_may_last_exactly_as_long_as_two_polls_need() -> None:
    text = "poll: {every: 2h, offset: 5m, settle: 1m, stale_after: 4h6m}\n" + LEAST + "    posts: [1]\n"
    assert parsed(text).poll.stale_after_seconds == 14760


@pytest.mark.parametrize(
    "url",
    [
        "https://api.x.com/",
        "http://127.0.0.1:8080",
        "http://[::1]:1",
        "http://LOCALHOST/x/",
        "http://127.9.9.9",
    ],
)
def test_a_base_url_is_https_or_loopback_and_loses_its_last_slash(url: str) -> None:
    config = parsed(f"api: {{base_url: '{url}'}}\n{LEAST}    posts: [1]\n")
    assert config.api.base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.x.com",
        "http://127.0.0.1.example",
        "http://0.0.0.0",
        "https://",
        "https://api.x.com:port",
        "https://api.x.com:0",
        "https://api.x.com:99999",
        "https://api x.com",
        "https://[::1",
        "https://api.x.com?",
        "https://api.x.com#x",
        "https://:pw@api.x.com",
        "https://@api.x.com",
        "ftp://localhost",
        "api.x.com",
        "https://münchen.example",
    ],
)
def test_any_other_base_url_is_refused(url: str) -> None:
    assert "api.base_url: found" in told(f"api: {{base_url: '{url}'}}\n{LEAST}    posts: [1]\n")


def test_a_relative_path_starts_at_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("made-up\n")
    (tmp_path / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    file = tmp_path / "config.yaml"
    file.write_text(
        "api: {ca_file: ca.pem}\nstate_dir: ../state\n"
        "accounts: [{name: brand, auth: {bearer_token_file: token}, posts: [1]}]\n"
    )
    config = load_config(file, {})
    assert config.file == file
    assert config.accounts[0].auth == BearerAuth(None, tmp_path / "token")
    assert (config.api.ca_file, config.state_dir) == (tmp_path / "ca.pem", tmp_path / ".." / "state")


def test_relative_paths_start_beside_a_linked_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "config.yaml").write_text(LEAST + "    posts: [1]\n")
    (tmp_path / "config.yaml").symlink_to(tmp_path / "data" / "config.yaml")
    assert load_config(tmp_path / "config.yaml", {}).state_dir == tmp_path / "state"


def test_a_state_dir_that_exists_is_taken(tmp_path: Path) -> None:
    text = f"state_dir: {tmp_path}\n{LEAST}    posts: [1]\n"
    assert parsed(text).state_dir == tmp_path


@pytest.mark.parametrize("path", ["token/state", '"sta\\0te"', '""', "x" * 5000])
def test_a_state_dir_that_cannot_be_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("made-up")
    assert "state_dir: found" in told(f"state_dir: {path}\n{LEAST}    posts: [1]\n", tmp_path)


def test_a_bearer_token_is_text_or_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("made-up\r\n")
    assert signing_in("{bearer_token: made-up}") == BearerAuth(Secret("made-up"), None)
    assert signing_in("{bearer_token_file: token}", tmp_path) == BearerAuth(None, tmp_path / "token")


def test_oauth1_takes_each_value_from_text_or_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("in-a-file\n")
    auth = signing_in(
        "{oauth1: {consumer_key: a, consumer_secret_file: secret, access_token: b,"
        " access_token_secret_file: secret}}",
        tmp_path,
    )
    assert auth == OAuth1Auth(Secret("a"), Secret("in-a-file"), Secret("b"), Secret("in-a-file"))


def test_oauth2_is_confidential_unless_it_says_public(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("in-a-file")
    assert signing_in("{oauth2: {client_id: a, client_secret: b}}") == OAuth2Auth(
        "a", Secret("b"), "confidential"
    )
    from_file = signing_in("{oauth2: {client_id: a, client_secret_file: secret}}", tmp_path)
    assert from_file == OAuth2Auth("a", Secret("in-a-file"), "confidential")
    assert signing_in("{oauth2: {client_id: a, client_type: public}}") == OAuth2Auth("a", None, "public")


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two words", b"one\ntwo", b"caf\xc3\xa9", b"\xff", b"x" * 70_000]
)
def test_a_file_without_a_usable_secret_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content)
    text = "accounts: [{name: a, auth: {oauth2: {client_id: a, client_secret_file: secret}}, posts: [1]}]\n"
    assert "(the file " in told(text, tmp_path)


@pytest.mark.parametrize("path", ['"a\\0b"', '""', "[token]", "x" * 5000])
def test_a_path_that_no_file_can_have_is_refused(path: str) -> None:
    text = f"accounts: [{{name: brand, auth: {{bearer_token_file: {path}}}, posts: [1]}}]\n"
    assert "accounts[0].auth.bearer_token_file: found" in told(text)


def test_a_proxy_may_hold_a_password_and_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text("http://user:made-up@proxy.example:3128\n")
    rest = LEAST + "    posts: [1]\n"
    config = parsed("api: {proxy_url_file: proxy}\n" + rest, tmp_path)
    assert config.api.proxy_url == Secret("http://user:made-up@proxy.example:3128")
    assert config == parsed("api: {proxy_url: 'http://user:made-up@proxy.example:3128'}\n" + rest, tmp_path)
    assert "made-up" not in repr(config)
    (tmp_path / "proxy").write_text("socks5://proxy.example:1080\n")
    assert "(the file holds no such address)" in told("api: {proxy_url_file: proxy}\n" + rest, tmp_path)
    both = "api: {proxy_url: 'http://proxy.example', proxy_url_file: proxy}\n"
    assert "found proxy_url and proxy_url_file" in told(both + rest, tmp_path)


def test_variables_are_filled_in_anywhere_in_a_value() -> None:
    poll = "poll: {every: '${N}h', stale_after: 9h}\n"
    config = parsed(poll + LEAST + "    posts: [{id: '${ID}', name: 'a $$ b $c ${N}${N}'}]\n", N="2", ID="18")
    assert config.poll.every_seconds == 7200
    assert (config.accounts[0].posts[0].id, config.accounts[0].posts[0].name) == ("18", "a $ b $c 22")


def test_what_a_variable_holds_is_not_expanded_again() -> None:
    assert signing_in("{bearer_token: '${A}'}", A="${B}$$") == BearerAuth(Secret("${B}$$"), None)


def test_a_variable_that_holds_null_is_text() -> None:
    (item,) = parsed(LEAST + "    posts: [{id: 1, name: '${A}'}]\n", A="null").accounts[0].posts
    assert item.name == "null"


def test_anchors_aliases_and_merge_keys_work() -> None:
    config = parsed(
        "accounts:\n"
        "  - &base\n    name: one\n    auth: &auth {bearer_token: '${T}$$'}\n    posts: [1]\n"
        "    post_metrics: &metrics [likes]\n"
        "  - <<: *base\n    name: two\n    posts: [2]\n"
        "  - {<<: [{name: three}, *base], posts: [3]}\n"
        "  - {name: four, auth: *auth, posts: [4], post_metrics: *metrics}\n",
        T="made-up",
    )
    assert [account.name for account in config.accounts] == ["one", "two", "three", "four"]
    assert {account.post_metrics[0].name for account in config.accounts} == {"likes"}
    assert [account.auth for account in config.accounts] == [BearerAuth(Secret("made-up$"), None)] * 4


def test_what_stands_in_auth_is_hidden_wherever_an_alias_repeats_it() -> None:
    text = told(
        "accounts: [{name: *t, auth: {bearer_token: *t}, posts: [1]}]\n".replace("*t", "&t Made-Up", 1)
    )
    assert "accounts[0].name: found a value that is not shown here" in text
    assert "Made-Up" not in text


def test_a_quoted_merge_key_is_a_key() -> None:
    assert "unknown key (not shown here); allowed" in told(f'"<<": {{}}\n{LEAST}    posts: [1]\n')


def test_a_file_may_begin_with_a_byte_order_mark_and_end_lines_as_windows_does() -> None:
    text = b"\xef\xbb\xbf" + (LEAST + "    posts: [1]\n").replace("\n", "\r\n").encode()
    assert parse_config(text, "config.yaml", Path(), {}).accounts[0].name == "brand"


def test_a_wrong_entry_does_not_hide_what_is_wrong_elsewhere() -> None:
    text = told(LEAST + "    posts: [x, 1, 1]\n    post_metrics: [like]\n  - {name: brand, posts: [1]}\n")
    assert text.count("stands twice") == 3
    assert 'did you mean "likes"?' in text
    assert "accounts[1].auth" in text


def test_faults_name_the_file_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("accounts: []\n")
    with pytest.raises(ConfigError, match=r"^my\.yaml:1:11: accounts: "):
        load_config(Path("my.yaml"), {})


def test_a_file_that_is_not_there_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; name the configuration with --config\.file"):
        load_config(tmp_path / "none.yaml", {})


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this is a directory; name the file in it"):
        load_config(tmp_path, {})


@pytest.mark.parametrize("name", ["config.yaml/config.yaml", "a\0b"])
def test_a_file_that_cannot_be_read_says_why(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(LEAST)
    with pytest.raises(ConfigError, match=r"the file cannot be read: (not a directory|bad name)"):
        load_config(tmp_path / name, {})


def test_a_file_beyond_ten_megabytes_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"#" * 10_000_001)
    with pytest.raises(ConfigError, match="larger than 10 MB"):
        load_config(tmp_path / "config.yaml", {})


def test_a_thousand_aliases_of_one_entry_are_read_and_told_apart_from_an_explosion() -> None:
    repeated = ", ".join(["*p"] * 1000)
    assert told(f"{LEAST}    posts: [&p 1, {repeated}]\n").count("stands twice") == 1000
