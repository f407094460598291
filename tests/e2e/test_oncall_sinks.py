"""Slack, PagerDuty and heartbeats, against servers that answer as those do; and `leakwatch alerts test`."""
import http.server
import json
import threading

import pytest
from harness import command, wait_until, yaml


class Server:
    """Keeps every request as (method, path, headers, JSON), and answers as .answers says for the path's beginning."""

    def __init__(self):
        self.requests = []
        self.answers = {"/slack": (200, "ok"), "/pagerduty": (202, '{"status":"success"}'), "/beat": (200, "OK"), "/refuse": (404, "no_service")}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.command, self.path, dict(self.headers), json.loads(raw) if raw else None))
                status, text = next(a for path, a in outer.answers.items() if self.path.startswith(path))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def bodies(self, path):
        return [body for _, p, _, body in self.requests if p.startswith(path)]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


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
    d = daemon([{"job_name": "shop", "static_configs": [{"targets": [registry.address]}]}], alerting={"receivers": [first, everything]})
    wait_until(lambda: server.bodies("/slack") and server.bodies("/pagerduty"), 60, "messages")
    slack, event = server.bodies("/slack")[0], server.bodies("/pagerduty")[0]
    assert slack["channel"] == "#oncall"
    assert slack["text"].startswith("*[FIRING:1]* GoroutineLeak shop http-client-conn\n• shop at 127.0.0.1:")
    assert "readLoop" in slack["attachments"][0]["text"]
    assert event["routing_key"] == 'routing"key' and event["event_action"] == "trigger"
    assert event["payload"]["severity"] == "critical" and event["payload"]["source"] == registry.address
    assert event["payload"]["summary"].startswith("shop at ")
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
