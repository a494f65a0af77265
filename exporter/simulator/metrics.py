"""The metrics the simulated API knows, by every spelling X uses for them.

Written down a second time on purpose: this package shares nothing with the code that reads its answers.
"""

from __future__ import annotations

from types import MappingProxyType

# Counters of GET /2/media/analytics, as its OpenAPI excerpt lists them, in the order of X_API's table.
MEDIA_METRICS = (
    "video_views",
    "playback_start",
    "playback25",
    "playback50",
    "playback75",
    "playback_complete",
    "play_from_tap",
    "cta_url_clicks",
    "cta_watch_clicks",
    "watch_time_ms",
)

# `requested_metrics` of GET /2/insights/28hr and the name each has here.
INSIGHT_METRICS = MappingProxyType(
    {
        "AppInstallAttempts": "app_install_attempts",
        "AppOpens": "app_opens",
        "DetailExpands": "detail_expands",
        "EmailTweet": "email_tweet",
        "Engagements": "engagements",
        "Follows": "follows",
        "HashtagClicks": "hashtag_clicks",
        "Impressions": "impressions",
        "Likes": "likes",
        "LinkClicks": "link_clicks",
        "MediaEngagements": "media_engagements",
        "MediaViews": "media_views",
        "PermalinkClicks": "permalink_clicks",
        "ProfileVisits": "profile_visits",
        "QuoteTweets": "quote_tweets",
        "Replies": "replies",
        "Retweets": "retweets",
        "UniqueVideoViews": "unique_video_views",
        "UrlClicks": "url_clicks",
        "UserProfileClicks": "user_profile_clicks",
        "VideoCompletions": "video_completions",
        "VideoPlayed25Percent": "video_played_25_percent",
        "VideoPlayed50Percent": "video_played_50_percent",
        "VideoPlayed75Percent": "video_played_75_percent",
        "VideoStarts": "video_starts",
        "VideoViews": "video_views",
    }
)

# Counters that GET /2/tweets/analytics has and insights lacks.
ANALYTICS_ONLY_METRICS = ("bookmarks", "shares", "unfollows", "unlikes")

# All figures a post has, in the order of a figures row.
POST_METRICS = (*INSIGHT_METRICS.values(), *ANALYTICS_ONLY_METRICS)

# Counters `analytics.fields` of GET /2/tweets/analytics lists, in both excerpts alike.
ANALYTICS_METRICS = (
    "app_install_attempts",
    "app_opens",
    "bookmarks",
    "detail_expands",
    "email_tweet",
    "engagements",
    "follows",
    "hashtag_clicks",
    "impressions",
    "likes",
    "media_views",
    "permalink_clicks",
    "quote_tweets",
    "replies",
    "retweets",
    "shares",
    "unfollows",
    "unlikes",
    "url_clicks",
    "user_profile_clicks",
)

MEDIA_INDEX = MappingProxyType({name: index for index, name in enumerate(MEDIA_METRICS)})
POST_INDEX = MappingProxyType({name: index for index, name in enumerate(POST_METRICS)})
