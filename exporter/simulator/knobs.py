"""Everything about the simulated API that nobody outside X knows for sure, as one value to turn.

The defaults are what X most likely does. Ratios are shares of the cases, drawn from the seed: the same
request at the same time is always answered alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Knobs:
    """How the simulated API behaves; replace the whole value to turn a knob.

    Parameters
        insights_arrays: how `tweet_ids` and `requested_metrics` may be written.
        old_field_list: `timestamped_metrics` is an unknown field, as up to spec 2.166.
        granularity_required: as up to spec 2.166; else it has its default.
        media_max_days, historical_max_days: longest range of one request.
        historical_back_days: how far back historical insights reach.
        photo_keys: what a photo's media key (``3_``) gets.

    Values
        string_ratio, float_ratio, null_ratio, absent_ratio: share of figures written as a decimal string,
            as ``5.0``, as null, or left out.
        null_bucket_ratio: share of media buckets whose `metrics` is null.
        omit_zero: insights leave `metric_value` out of a metric that is 0.

    Buckets
        label_end: buckets are labelled with their end instead of their start.
        bucket_at_end: one more bucket begins at `end_time`.
        insights_buckets: 29 with the cut first hour of the 28, 28 without it.
        zero_fill: hours without any figure are answered as zeros; else they are left out.
        before_creation: what stands for the hours before the item existed.
        missing_ratio: share of hours left out.
        shuffle: buckets and items come in no order.
        repeat_buckets: every bucket comes twice.
        lag_hours: the newest so many complete hours, and the running one, are not out yet.
        revision_hours, revision_ratio: for so long after its end an hour lacks this share of its figures.

    Envelope
        metric_type: spelling of insight metrics in answers.
        insights_per_post: one `data` item for each post instead of one for all.
        totals: insights send `metrics_total` along with hours.
        data_as_object: media `data` is one object where one key was asked for.
        flat_total: granularity `total` is answered flat, without `timestamped_metrics`.
        problem_host: host of problem types.
        wrap_problems: problems come inside `errors[]`.
        flat_bad_request: a 400 has the form of spec 2.167.

    Surroundings
        rate_headers: whether limits are told.
        enforce_limits: whether they are kept.
        date_skew_seconds: how far X's clock is ahead of ours.
        access_level, api_version: the headers of those names.
        latency_seconds: time every answer takes.

    Sign-in
        access_token_seconds, code_seconds: how long an access token and an authorization code live.
        refresh_token_seconds: how long a refresh token lives.
        omit_expires_in: token answers lack `expires_in`.
        replay_kills_family: using a spent refresh token ends its successors too.
        check_signature: OAuth 1.0a signatures are verified.
    """

    insights_arrays: Literal["either", "commas", "repeated"] = "either"
    old_field_list: bool = False
    granularity_required: bool = False
    media_max_days: int = 92
    historical_max_days: int = 28
    historical_back_days: int = 365
    photo_keys: Literal["not_found", "null"] = "not_found"

    string_ratio: float = 0.0
    float_ratio: float = 0.0
    null_ratio: float = 0.0
    absent_ratio: float = 0.0
    null_bucket_ratio: float = 0.0
    omit_zero: bool = True

    label_end: bool = False
    bucket_at_end: bool = False
    insights_buckets: Literal[28, 29] = 29
    zero_fill: bool = True
    before_creation: Literal["absent", "zero", "null"] = "absent"
    missing_ratio: float = 0.0
    shuffle: bool = False
    repeat_buckets: bool = False
    lag_hours: int = 0
    revision_hours: float = 0.0
    revision_ratio: float = 0.03

    metric_type: Literal["pascal", "snake", "screaming"] = "pascal"
    insights_per_post: bool = False
    totals: bool = True
    data_as_object: bool = False
    flat_total: bool = False
    problem_host: Literal["api.x.com", "api.twitter.com"] = "api.x.com"
    wrap_problems: bool = False
    flat_bad_request: bool = False

    rate_headers: bool = True
    enforce_limits: bool = True
    date_skew_seconds: float = 0.0
    access_level: str = "read-write"
    api_version: str = "2.168"
    latency_seconds: float = 0.0

    access_token_seconds: float = 7200.0
    code_seconds: float = 30.0
    refresh_token_seconds: float = 180 * 86400.0
    omit_expires_in: bool = False
    replay_kills_family: bool = True
    check_signature: bool = True
