"""The dashboard, the alerts and the scrape configuration are what Prometheus and Grafana read, and
speak of metrics that there are.

What Prometheus itself makes of them is shown by scripts/ops-test, which needs it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from promql_parser import AggregateExpr, Call, Expr, MatrixSelector, VectorSelector

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


RATES = {"rate", "increase", "irate"}
PROVISIONED = {
    "datasources": {
        "name", "type", "access", "orgId", "uid", "url", "user", "database", "basicAuth",
        "basicAuthUser", "withCredentials", "isDefault", "jsonData", "secureJsonData", "version",
        "editable",
    },
    "providers": {
        "name", "orgId", "folder", "folderUid", "type", "disableDeletion",
        "updateIntervalSeconds", "allowUiUpdates", "options",
    },
}  # fmt: skip
"""Keys that Grafana's documentation has ("Provision Grafana")."""


def parsed(expression: str) -> Expr:
    """Raises ValueError where it is no PromQL, or its types do not fit."""
    return promql_parser.parse(expression.replace("$__rate_interval", "1m"))


def parts(expression: str) -> list[Expr]:
    """All that an expression consists of, itself included."""
    found: list[Expr] = []
    promql_parser.walk(parsed(expression), pre_visit=found.append)
    return found


def selectors(expression: str) -> Iterator[VectorSelector]:
    """Those of its series."""
    for part in parts(expression):
        if isinstance(part, MatrixSelector):
            yield part.vector_selector
        elif isinstance(part, VectorSelector):
            yield part


def labels_used(expression: str) -> set[str]:
    found = {each.name for selector in selectors(expression) for each in selector.matchers.matchers}
    for part in parts(expression):
        if isinstance(part, AggregateExpr) and part.modifier:
            found |= {*part.modifier.labels}
    return found


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
        names = {each.name for each in selectors(expression)} - {"up"}
        assert names <= {*known}, expression
        for name in names:
            assert labels_used(expression) <= known[name] | OF_THE_SCRAPE, expression
        used |= names
    shown = {name.removesuffix("_bucket").removesuffix("_count") for name in used}
    every = {re.sub("_(bucket|count|sum)$", "", name) for name in known}
    assert shown == every, "some metric is on no panel and in no alert"


@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_rates_are_of_counters_and_of_nothing_else(expression: str, worker: Worker) -> None:
    gauges = {each.name for each in worker.state["metrics"]._families if each.type == "gauge"}
    rated = {
        part.args[0].vector_selector.name
        for part in parts(expression)
        if isinstance(part, Call) and part.func.name in RATES
    }
    asked = {each.name for each in selectors(expression)} - {"up"}
    assert rated == asked - gauges


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_workers_and_hosts_are_summed_up_or_told_apart(expression: str) -> None:
    """By a quantile's bounds; and no series is left with a worker that nobody is told of."""
    for part in parts(expression):
        if isinstance(part, Call) and part.func.name == "histogram_quantile":
            (_, within) = part.args
            assert isinstance(within, AggregateExpr)
            assert "le" in within.modifier.labels
    apart = {WORKER, "instance"}
    assert not any(
        isinstance(part, AggregateExpr)
        and part.modifier
        and apart & {*part.modifier.labels} == {WORKER}
        for part in parts(expression)
    ), "workers of two hosts may have the same number"


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_every_alert_says_what_to_do(rule: dict) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "runbook"}
    assert len(rule["annotations"]["runbook"]) > 40
    named = re.findall(r"Leaderboard[A-Z]\w+", rule["annotations"]["runbook"])
    assert {*named} <= {each["alert"] for each in RULES}


def test_codes_in_alerts_are_those_of_errors() -> None:
    there = {each.code for each in vars(errors).values() if hasattr(each, "code")}
    (codes,) = {
        matcher.value
        for each in EXPRESSIONS
        for selector in selectors(each)
        for matcher in selector.matchers.matchers
        if matcher.name == "code"
    }
    assert {*codes.split("|")} <= there


def test_every_alert_is_tried() -> None:
    """With samples at which it does not fire, and such at which it does."""
    quiet, firing = set(), set()
    for test in yaml.safe_load((OPS / "prometheus/alerts.test.yml").read_text())["tests"]:
        for case in test["promql_expr_test"]:
            (name,) = re.findall(r'alertname="(\w+)"', case["expr"])
            (firing if case.get("exp_samples") else quiet).add(name)
    assert quiet == firing == {rule["alert"] for rule in RULES}


def left_out(ours: Any, theirs: Any, place: str = "") -> list[str]:
    """What of our JSON is not in theirs, by its place."""
    if isinstance(ours, dict):
        return [
            each
            for key, value in ours.items()
            for each in (
                left_out(value, theirs[key], f"{place}.{key}")
                if isinstance(theirs, dict) and key in theirs
                else [f"{place}.{key}"]
            )
        ]
    if isinstance(ours, list) and len(ours) == len(theirs):
        return [
            each
            for at, pair in enumerate(zip(ours, theirs, strict=True))
            for each in left_out(*pair, f"{place}[{at}]")
        ]
    return [] if ours == theirs else [place]


def test_grafana_knows_all_of_the_dashboard() -> None:
    """Grafana's own types keep what they know, through JSON and back."""
    register_default_plugins()

    def kept(dashboard: dict) -> dict:
        return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))

    assert left_out(DASHBOARD, kept(DASHBOARD)) == []
    panel = {**PANELS[0], "titel": "Unknown"}
    assert left_out(panel, kept({**DASHBOARD, "panels": [panel]})["panels"][0]) == [".titel"]


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


@pytest.mark.parametrize("what", PROVISIONED)
def test_grafana_knows_what_is_provisioned(what: str) -> None:
    folder = OPS / "grafana/provisioning" / what.replace("providers", "dashboards")
    for path in folder.iterdir():
        content = yaml.safe_load(path.read_text())
        assert content.keys() == {"apiVersion", what}
        assert content["apiVersion"] == 1
        for each in content[what]:
            assert each.keys() <= PROVISIONED[what]
