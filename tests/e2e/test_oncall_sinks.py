"""Slack, PagerDuty and heartbeats, against servers that answer as those do; and `leakwatch alerts test`."""
import pytest
from answering import Server
from harness import command, wait_until, yaml


@pytest.fixture
def server(stops):
    stops.append(Server())
    return stops[-1]


@pytest.fixture
def everything(tmp_path, server):
    """A receiver with a Slack channel, a PagerDuty service and a heartbeat."""
    (tmp_path / "slack-url").write_text(server.url + "/slack/T0/B0/secret\n")
    (tmp_path / "key").write_text('routing"key\n')
    return {"name": "people",
            "slack_configs": [{"api_url_file": str(tmp_path / "slack-url"), "channel": "#oncall"}],
            "pagerduty_configs": [{"routing_key_file": str(tmp_path / "key"), "url": server.url + "/pagerduty"}],
            "heartbeat_configs": [{"url": server.url + "/beat", "interval": "1s"}]}


def test_a_leak_in_every_sink(service, daemon, server, everything):
    # The heartbeat's server is a receiver of its own too: it takes no alert from those after it.
    first = {"name": "deadman", "heartbeat_configs": [{"url": server.url + "/beat/deadman", "interval": "1s"}]}
    registry = service("registry", "-rate", 30)
    d = daemon([{"job_name": "shop", "static_configs": [{"targets": [registry.address]}]}], alerting={"receivers": [first, everything]},
               web={"external_url": "https://lw.example/"})
    wait_until(lambda: server.bodies("/slack") and server.bodies("/pagerduty"), 60, "messages")
    slack, event = server.bodies("/slack")[0], server.bodies("/pagerduty")[0]
    assert slack["channel"] == "#oncall"
    assert slack["text"].startswith("*[FIRING:1]* GoroutineLeak shop http-client-conn\n• shop at 127.0.0.1:")
    assert "readLoop" in slack["attachments"][0]["text"]
    assert event["routing_key"] == 'routing"key' and event["event_action"] == "trigger"
    assert event["payload"]["severity"] == "critical" and event["payload"]["source"] == registry.address
    assert event["payload"]["summary"].startswith("shop at ")
    (alert,) = [a for a in d.command("alerts")["alerts"] if a["name"] == "GoroutineLeak"]
    page = f"https://lw.example/alerts/{alert['id']}"
    assert event["links"] == [{"href": page, "text": "this alert in leakwatch"}] and slack["attachments"][0]["title_link"] == page
    with open(d.db, "rb") as f:  # the key is a secret: it is in no file of ours
        assert b'routing"key' not in f.read() and b'routing\\"key' not in open(d.db + "-wal", "rb").read()

    wait_until(lambda: len(server.bodies("/beat/deadman")) >= 2 and len(server.bodies("/beat")) > 4, 10, "heartbeats")
    # Nothing can be scraped: no more heartbeats.
    registry.stop()
    wait_until(lambda: "left out: no target could be scraped" in d.log(), 10, "the word that it is left out")
    beats = len(server.bodies("/beat"))
    registry.start(fixed=True)
    wait_until(lambda: len(server.bodies("/beat")) > beats, 10, "heartbeats again")

    wait_until(lambda: any(e["event_action"] == "resolve" for e in server.bodies("/pagerduty")), 60, "the end")
    ends = [e for e in server.bodies("/pagerduty") if e["event_action"] == "resolve"]
    assert [e["dedup_key"] for e in ends if e["dedup_key"] == event["dedup_key"]] == [event["dedup_key"]]
    wait_until(lambda: any(b["text"].startswith("*[RESOLVED]*") for b in server.bodies("/slack")), 10, "the end in Slack")


def test_alerts_test(tmp_path, server, everything, receiver, stops):
    config = {"alerting": {"receivers": [
        {**everything, "webhook_configs": [{"url": receiver.url}], "alertmanager_configs": [{"urls": [server.url + "/slack"]}]},
        {"name": "broken", "webhook_configs": [{"url": server.url + "/refuse"}, {"url": "http://127.0.0.1:1/nobody", "timeout": "1s"}]}]}}
    path = tmp_path / "test.yaml"
    path.write_text(yaml(config) + "\n")
    said = command("alerts", "test", "-c", path, "people")
    for line in ("people/slack/0: the alert: HTTP 200 ok", "people/slack/0: that it ended: HTTP 200 ok",
                 'people/pagerduty/0: that it ended: HTTP 202 {"status":"success"}', "people/webhook/0: the alert: HTTP 200 taken",
                 "people/alertmanager/0: the alert: HTTP 200 ok", "people/heartbeat/0: the request: HTTP 200 taken"):
        assert line in said.splitlines(), said
    assert [a["status"] for a in receiver.alerts(alertname="LeakwatchTest", test="true")] == ["firing", "resolved"]
    said = command("alerts", "test", "-c", path, "broken", code=1)
    assert "broken/webhook/0: the alert: HTTP 404: no_service" in said and "broken/webhook/1: the alert: nobody listens" in said
    command("alerts", "test", "-c", path, "nobody", code=1)
    command("alerts", "test", "-c", str(path) + ".no", "people", code=74)
    command("alerts", "test", code=2)
    command("alerts", "list", "-c", path, code=2)
