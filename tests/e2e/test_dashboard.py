"""The Grafana dashboard: each of its queries, asked of a real Prometheus that scrapes a daemon which sees a leak."""
import json
import os
import urllib.parse

import peers
import pytest
from conftest import ROOT
from harness import BUILD, free_port, http_get, wait_until

GRAFANA = os.path.join(ROOT, "etc", "grafana", "leakwatch.json")


def queries():
    with open(GRAFANA, encoding="utf-8") as f:
        board = json.load(f)
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def ask(address, query):
    for name, value in (("$job", ".*"), ("$instance", ".*"), ("$__rate_interval", "10s")):
        query = query.replace(name, value)
    assert "$" not in query, query
    status, body = http_get(address, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
    assert status == 200, body
    return json.loads(body)["data"]["result"]


def test_every_query_has_an_answer(service, daemon, receiver, stops, tmp_path):
    try:
        root = peers.fetch(ROOT, BUILD, ["prometheus"])["prometheus"]
    except peers.Unavailable as e:
        pytest.skip(f"no Prometheus: {e}")
    web, address = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    leak = service("heartbeat", "-users", 50, "-rate", 50)
    daemon([{"job_name": "shop", "static_configs": [{"targets": [leak.address]}]}], web={"listen_address": web})
    # The configuration that is shipped, with honor_labels, for this daemon.
    with open(os.path.join(ROOT, "etc", "prometheus", "prometheus.yml"), encoding="utf-8") as f:
        text = f.read()
    assert "127.0.0.1:9765" in text
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with open(os.path.join(ROOT, "etc", "prometheus", "leakwatch.rules.yml"), encoding="utf-8") as f:
        (folder / "leakwatch.rules.yml").write_text(f.read())
    (folder / "prometheus.yml").write_text("global: {evaluation_interval: 1s}\n" +
                                           text.replace("127.0.0.1:9765", web).replace("scrape_interval: 30s", "scrape_interval: 1s"))
    program = peers.Program("prometheus", [f"{root}/usr/bin/prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                                           f"--web.listen-address={address}"], folder, address, ["/-/ready"])
    stops.append(program)
    program.wait()
    wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak"), 60, receiver.describe)

    def missing():
        return [(title, query) for title, query in queries() if not ask(address, query)]

    assert len(list(queries())) > 20
    wait_until(lambda: not missing(), 30, missing)
    named = dict(queries())
    wait_until(lambda: float(ask(address, named["Classes that leak"])[0]["value"][1]) >= 1, 30, "Prometheus to have the verdict")
    grows = [r["metric"] for r in ask(address, named["Growth of what is suspected or leaks, an hour"])]
    assert "main.(*agent).expire" in [m["class"] for m in grows] and {m["instance"] for m in grows} == {leak.address}
