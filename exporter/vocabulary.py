"""X's metrics: the one table of how each is called here and on the wire, in what unit, meaning what."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.model import Endpoint, Kind


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric X reports per hour.

    `name` is the `metric` label (snake_case). `wire` is the spelling of the kind's own endpoint:
    a field of `/2/media/analytics` or a `requested_metrics` value of `/2/insights/28hr`. `twin` is the
    field of `/2/tweets/analytics`, None where it has none. `unit` is what one counts.
    `additive` is False where hours do not add up to a day, as with distinct viewers.
    """

    name: str
    wire: str
    unit: str
    meaning: str
    twin: str | None = None
    additive: bool = True


def _media(name: str, unit: str, meaning: str) -> Metric:
    return Metric(name, name, unit, meaning)


def _post(
    wire: str, name: str, unit: str, meaning: str, *, twin: bool = True, additive: bool = True
) -> Metric:
    return Metric(name, wire, unit, meaning, name if twin else None, additive)


# Fields of GET /2/media/analytics, in the order of the metrics table.
MEDIA_METRICS: tuple[Metric, ...] = (
    _media("video_views", "views", "video counted as viewed"),
    _media("playback_start", "events", "playback began"),
    _media("playback25", "events", "playback reached 25 % of the duration"),
    _media("playback50", "events", "playback reached 50 % of the duration"),
    _media("playback75", "events", "playback reached 75 % of the duration"),
    _media("playback_complete", "events", "video played to the end"),
    _media("play_from_tap", "events", "playback started by a tap instead of autoplay"),
    _media("cta_url_clicks", "clicks", "call-to-action link to a URL clicked"),
    _media("cta_watch_clicks", "clicks", "call-to-action to watch clicked"),
    _media("watch_time_ms", "milliseconds", "watch time of all viewers, summed"),
)

# requested_metrics of GET /2/insights/28hr, with the field of GET /2/tweets/analytics that says the same
# (link_clicks, media_engagements and profile_visits left it in spec 2.167).
POST_METRICS: tuple[Metric, ...] = (
    _post("AppInstallAttempts", "app_install_attempts", "events", "app install started from the post"),
    _post("AppOpens", "app_opens", "events", "app opened from the post"),
    _post("DetailExpands", "detail_expands", "clicks", "post clicked for details"),
    _post("EmailTweet", "email_tweet", "events", "post shared by e-mail"),
    _post("Engagements", "engagements", "events", "all interactions, not the sum of the others"),
    _post("Follows", "follows", "follows", "author followed from the post"),
    _post("HashtagClicks", "hashtag_clicks", "clicks", "hashtag clicked"),
    _post("Impressions", "impressions", "views", "post rendered for a viewer, repeats count"),
    _post("Likes", "likes", "likes", "likes received"),
    _post("LinkClicks", "link_clicks", "clicks", "link or card clicked", twin=False),
    _post("MediaEngagements", "media_engagements", "clicks", "image, GIF or video clicked", twin=False),
    _post("MediaViews", "media_views", "views", "media viewed, images included"),
    _post("PermalinkClicks", "permalink_clicks", "clicks", "the post's own page opened"),
    _post("ProfileVisits", "profile_visits", "visits", "author's profile visited via the post", twin=False),
    _post("QuoteTweets", "quote_tweets", "posts", "quote posts made"),
    _post("Replies", "replies", "posts", "replies received"),
    _post("Retweets", "retweets", "posts", "reposts without comment"),
    _post(
        "UniqueVideoViews",
        "unique_video_views",
        "viewers",
        "distinct viewers of the post's video",
        twin=False,
        additive=False,
    ),
    _post("UrlClicks", "url_clicks", "clicks", "URL clicked, hashtag links included"),
    _post("UserProfileClicks", "user_profile_clicks", "clicks", "author's name or avatar clicked"),
    _post("VideoCompletions", "video_completions", "events", "video played to the end", twin=False),
    _post("VideoPlayed25Percent", "video_played_25_percent", "events", "video reached 25 %", twin=False),
    _post("VideoPlayed50Percent", "video_played_50_percent", "events", "video reached 50 %", twin=False),
    _post("VideoPlayed75Percent", "video_played_75_percent", "events", "video reached 75 %", twin=False),
    _post("VideoStarts", "video_starts", "events", "video playback started", twin=False),
    _post("VideoViews", "video_views", "views", "video half visible for 2 s, in this post only", twin=False),
)

# A metric of an insights entry may stand there without a value, which means 0 as long as another metric
# of the entry has one. This one, almost never 0 while anything else is not, is asked for along with the
# wanted ones so that their zeros can be told from silence.
POST_WITNESS = next(metric for metric in POST_METRICS if metric.name == "impressions")


def metrics_of(kind: Kind) -> tuple[Metric, ...]:
    """All metrics of a kind, in their fixed order."""
    return MEDIA_METRICS if kind is Kind.MEDIA else POST_METRICS


def wire_name(metric: Metric, endpoint: Endpoint) -> str | None:
    """How `endpoint` spells `metric`, None where it does not have it."""
    return metric.twin if endpoint is Endpoint.TWEETS_ANALYTICS else metric.wire


def folded(spelling: str) -> str:
    """`spelling` as it is compared: without case and underscores, as X's own spellings vary in both."""
    return spelling.replace("_", "").casefold()
