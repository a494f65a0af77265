"""How metrics are called on the dashboards."""

from __future__ import annotations

from exporter.vocabulary import MEDIA_METRICS, POST_METRICS

# Where the name itself, without underscores, would not do.
_SPOKEN = {
    "watch_time_ms": "Watch time in ms",
    "playback_start": "Playback started",
    "playback25": "Reached 25 %",
    "playback50": "Reached 50 %",
    "playback75": "Reached 75 %",
    "playback_complete": "Played to the end",
    "video_starts": "Playback started",
    "video_played_25_percent": "Reached 25 %",
    "video_played_50_percent": "Reached 50 %",
    "video_played_75_percent": "Reached 75 %",
    "video_completions": "Played to the end",
    "play_from_tap": "Plays by tap",
    "cta_url_clicks": "Call-to-action URL clicks",
    "cta_watch_clicks": "Call-to-action watch clicks",
    "email_tweet": "Shares by e-mail",
    "quote_tweets": "Quotes",
    "retweets": "Reposts",
    "url_clicks": "URL clicks",
    "user_profile_clicks": "Profile clicks",
}

NAMES = {
    metric.name: _SPOKEN.get(metric.name, metric.name.replace("_", " ").capitalize())
    for metric in (*MEDIA_METRICS, *POST_METRICS)
}

# What makes up engagement. For posts those kinds that do not contain one another; totals are left out.
MEDIA_ENGAGEMENT = ("play_from_tap", "cta_url_clicks", "cta_watch_clicks")
POST_ENGAGEMENT = (
    "likes",
    "replies",
    "retweets",
    "quote_tweets",
    "detail_expands",
    "url_clicks",
    "user_profile_clicks",
    "media_engagements",
    "permalink_clicks",
    "hashtag_clicks",
    "follows",
    "app_opens",
    "app_install_attempts",
    "email_tweet",
)

# The steps of the retention funnel: how it is shown, the metric of media, the metric of posts.
FUNNEL = (
    ("Start", "playback_start", "video_starts"),
    ("25 %", "playback25", "video_played_25_percent"),
    ("50 %", "playback50", "video_played_50_percent"),
    ("75 %", "playback75", "video_played_75_percent"),
    ("End", "playback_complete", "video_completions"),
)
