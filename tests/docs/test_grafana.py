"""The dashboard asks for what is there, all of it, and for nothing else."""

import json
import re

from tests.docs.markdown import DOCS

DASHBOARD = json.loads((DOCS / "deploy" / "grafana.json").read_text())
# What Prometheus makes of a histogram.
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def documented() -> set[str]:
    return set(re.findall(r"^\| `(waypost_[a-z_]+)` \|", (DOCS / "metrics.md").read_text(), re.MULTILINE))


def test_every_metric_has_a_panel_and_every_panel_a_metric() -> None:
    asked: set[str] = set()
    for panel in DASHBOARD["panels"]:
        names = {SUFFIX.sub("", n) for t in panel["targets"] for n in re.findall(r"waypost_\w+", t["expr"])}
        assert names, panel["title"]
        asked |= names
    assert asked == documented()


def test_it_is_a_dashboard_for_any_prometheus() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    places = []
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        places.append((panel["gridPos"]["x"], panel["gridPos"]["y"]))
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
