"""A real Prometheus answers from the blocks that promtool makes of a backfill's file, hour by hour."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from exporter.backfill.span import Span, hour_text
from exporter.simulator import Account, Simulator, World
from exporter.simulator.serving import Served
from exporter.simulator.snowflake import mint
from tests.processes import finished, free_port, started

HOUR = 3600
TOKEN = "token-of-brand"
# Every so many hours a sum is asked for, on the hour and in between.
STEP = 3


def values(url: str, query: str, at: float) -> dict[tuple[str, str], float]:
    """An instant query by item and metric."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query, "time": str(at)}, trust_env=False)
    results: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
    return {
        (result["metric"]["id"], result["metric"]["metric"]): float(result["value"][1]) for result in results
    }


def test_sums_over_hours_are_exact_on_the_hour_and_between(
    tmp_path: Path, part: Callable[[str], str]
) -> None:
    end = int(time.time() // HOUR)
    span = Span(end - 60, end)
    ids = [mint((end - 50) * HOUR, number) for number in range(2)]
    media, post = f"13_{ids[0]}", str(ids[1])
    config, output, blocks = tmp_path / "config.yaml", tmp_path / "history.om", tmp_path / "data"
    with Served(
        Simulator(World((Account("brand", "1", "brand", (TOKEN,)),), any_id=True), clock=time.time)
    ) as x:
        config.write_text(
            f"api: {{base_url: '{x.base_url}'}}\n"
            "remote_write: {url: 'http://127.0.0.1:9/', external_labels: {site: home}}\n"
            f"accounts:\n  - name: brand\n    auth: {{bearer_token: {TOKEN}}}\n"
            f"    media: ['{media}']\n    posts: ['{post}']\n",
            encoding="utf-8",
        )
        times = ("--start", hour_text(span.first), "--end", hour_text(span.end))
        done = finished("backfill", "--config.file", str(config), *times, "--output", str(output))
        assert done.returncode == 0, done.stderr
        truth = x.simulator.truth
    promtool = part("promtool")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(output), str(blocks)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    (tmp_path / "prometheus.yml").write_text("{}\n", encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    serve = [
        # The package that brings promtool brings this one as well.
        str(Path(promtool).with_name("prometheus")),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={blocks}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with started(serve, tmp_path / "process") as running:
        running.answers(f"{url}/-/ready")
        for name, item_id, metric in (
            ("x_media_analytics_hourly", media, "watch_time_ms"),
            ("x_post_insights_hourly", post, "impressions"),
        ):
            for hour in range(span.first + 24, span.end, STEP):
                amounts = [truth(item_id, metric, each * HOUR) for each in range(hour - 24, hour)]
                expected = sum(amount or 0 for amount in amounts)
                for at in (hour * HOUR, hour * HOUR + 1800):
                    found = values(url, f'sum_over_time({name}{{site="home"}}[24h])', at)
                    assert found[item_id, metric] == expected, (name, hour, at)
                counted = values(url, f"count_over_time({name}[24h])", hour * HOUR)
                assert counted[item_id, metric] == sum(amount is not None for amount in amounts)
