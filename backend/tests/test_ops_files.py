"""The dashboard, the alerts and the scrape configuration speak of metrics that there are.

Prometheus' own `promtool` is not here: that their expressions are PromQL is not shown by this.
"""

import json
import re
from pathlib import Path

import pytest
import yaml

from app.core import errors
from app.core.config import Settings
from app.core.metrics.exposition import WORKER
from app.main import create_app
from tests.conftest import Worker

OPS = Path(__file__).parents[1] / "ops"
DASHBOARD = json.loads((OPS / "grafana/dashboards/leaderboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [
    rule
    for group in yaml.safe_load((OPS / "prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in PANELS for target in panel["targets"]
]
OF_THE_SCRAPE = {"instance", "job", "le"}
"""Labels that Prometheus adds, and a histogram's own."""


async def labels_by_name(worker: Worker) -> dict[str, set[str]]:
    """{name as it stands in /metrics: labels of its family}, of families without series too."""
    metrics = worker.state["metrics"]
    found = {}
    for family in metrics._families:
        labels = {*family.labels, WORKER}
        names = [family.name]
        if family.type == "histogram":
            names = [f"{family.name}_{part}" for part in ("bucket", "count", "sum")]
        found |= dict.fromkeys(names, labels)
    heads = set(re.findall(r"^# TYPE (\S+)", (await metrics.text()).decode(), re.MULTILINE))
    assert heads == {family.name for family in metrics._families}
    return found


async def test_all_that_is_asked_for_is_counted(worker: Worker) -> None:
    known = await labels_by_name(worker)
    used = set()
    for expression in EXPRESSIONS:
        names = set(re.findall(r"\bleaderboard_\w+", expression))
        assert names <= {*known}, expression
        labels = set(re.findall(r"(\w+)\s*(?:=~|!=|=)\s*\"", expression))
        for by in re.findall(r"\bby\s*\(([^)]*)\)", expression):
            labels |= {each.strip() for each in by.split(",")}
        for name in names:
            assert labels <= known[name] | OF_THE_SCRAPE, expression
        used |= names
    shown = {name.removesuffix("_bucket").removesuffix("_count") for name in used}
    every = {re.sub("_(bucket|count|sum)$", "", name) for name in known}
    assert shown == every, "some metric is on no panel and in no alert"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_brackets_are_closed(expression: str) -> None:
    open_ones = []
    for sign in re.sub(r'"[^"]*"', "", expression):
        if sign in "([{":
            open_ones.append(sign)
        elif sign in ")]}":
            assert open_ones.pop() + sign in ("()", "[]", "{}")
    assert not open_ones


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_every_alert_says_what_to_do(rule: dict) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "runbook"}
    assert len(rule["annotations"]["runbook"]) > 40
    named = re.findall(r"Leaderboard[A-Z]\w+", rule["annotations"]["runbook"])
    assert {*named} <= {each["alert"] for each in RULES}


def test_codes_in_alerts_are_those_of_errors() -> None:
    there = {each.code for each in vars(errors).values() if hasattr(each, "code")}
    (codes,) = {match for each in EXPRESSIONS for match in re.findall(r'code=~"([^"]*)"', each)}
    assert {*codes.split("|")} <= there


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    source = yaml.safe_load((OPS / "grafana/provisioning/datasources/leaderboard.yml").read_text())
    (uid,) = (each["uid"] for each in source["datasources"])
    for panel in PANELS:
        assert panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {uid}


def test_prometheus_finds_its_rules_and_our_route() -> None:
    folder = OPS / "prometheus"
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    assert all((folder / name).is_file() for name in config["rule_files"])
    (job,) = config["scrape_configs"]
    assert job["authorization"]["type"] == "Bearer"
    assert (
        job.get("metrics_path", "/metrics")
        in create_app(Settings(_env_file=None)).openapi()["paths"]
    )
    assert f'job="{job["job_name"]}"' in "".join(EXPRESSIONS)


def test_grafana_finds_its_dashboards() -> None:
    provided = yaml.safe_load((OPS / "grafana/provisioning/dashboards/leaderboard.yml").read_text())
    assert [each["type"] for each in provided["providers"]] == ["file"]
