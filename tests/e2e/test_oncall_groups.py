"""Forty instances of one job that leak in one class make one message that names all forty; a daemon that is killed before
it was sent sends it once, and one that is killed after does not send it again."""
from answering import Server
from harness import SANITIZED, wait_until

FORTY = 40


def test_forty_instances_make_one_message(service, daemon, receiver, stops, tmp_path):
    people = Server()
    stops.append(people)
    (tmp_path / "slack").write_text(people.url + "/slack")
    (tmp_path / "key").write_text("key")
    receivers = [{"name": "all", "webhook_configs": [{"url": receiver.url}], "slack_configs": [{"api_url_file": str(tmp_path / "slack")}],
                  "pagerduty_configs": [{"routing_key_file": str(tmp_path / "key"), "url": people.url + "/pagerduty"}]}]
    # Forty times in each interval it has to walk all of its goroutines: few of them, so that it keeps up.
    registry = service("registry", "-rate", 6, address="0.0.0.0:0")
    port = registry.address.rsplit(":", 1)[1]
    names = [f"127.0.0.{i + 1}:{port}" for i in range(FORTY)]  # one process, forty addresses: forty instances to a watcher
    # Forty scrapes at once of a process on a small machine: an interval that it can keep.
    d = daemon([{"job_name": "fleet", "static_configs": [{"targets": names}]}], window="400ms", interval="400ms",
               alerting={"receivers": receivers, "group_by": ["job", "class"], "group_wait": "25s" if SANITIZED == 1 else "50s", "group_interval": "2s", "repeat_interval": "1h"})

    def firing():
        return [a for a in d.command("alerts")["alerts"] if a["name"] == "GoroutineLeak" and a["state"] == "firing"]

    wait_until(lambda: len(firing()) == FORTY, 90, lambda: f"{len(firing())} alerts fire", every=0.5)
    assert not receiver.messages, "it did not wait for the others"
    d.kill()
    d.start()
    wait_until(lambda: receiver.messages, 50 if SANITIZED == 1 else 80, receiver.describe)
    body = receiver.messages[0][2]
    assert body["groupLabels"] == {"job": "fleet", "class": "http-client-conn"}
    assert sorted(a["labels"]["instance"] for a in body["alerts"]) == sorted(names)
    assert body["truncatedAlerts"] == 0 and body["status"] == "firing"
    # So do Slack's message and PagerDuty's incident.
    wait_until(lambda: people.bodies("/slack") and people.bodies("/pagerduty"), 10, "Slack and PagerDuty to be told")
    slack, event = people.bodies("/slack")[0], people.bodies("/pagerduty")[0]
    assert slack["text"].startswith("*[FIRING:40]* GoroutineLeak fleet http-client-conn\n"), slack["text"]
    assert all(f"• fleet at {name}: http-client-conn leaks" in slack["text"] for name in names)
    assert event["payload"]["summary"].startswith("40 firing: GoroutineLeak fleet http-client-conn: 127.0.0.")
    assert all(name in event["payload"]["summary"] for name in names), event["payload"]["summary"]
    (delivery,) = wait_until(lambda: [x for x in d.command("alerts", "show", firing()[7]["id"])["deliveries"]
                                      if x["state"] == "delivered" and x["receiver"] == "all/webhook/0"],
                             10, "the delivery under one of its alerts")
    assert delivery["webhook_id"] == receiver.messages[0][1]["webhook-id"]

    d.kill()
    d.start()
    registry.stop()
    registry.start(fixed=True)
    wait_until(lambda: len({a["labels"]["instance"] for a in receiver.alerts("resolved")}) == FORTY, 90, receiver.describe)
    ids = [headers["webhook-id"] for _, headers, _ in receiver.messages]
    assert len(ids) == len(set(ids)), "a message was sent twice"
    first = [a for a in body["alerts"]]
    again = [a for _, _, b in receiver.messages[1:] for a in b["alerts"] if a["status"] == "firing"]
    assert all(any(x["fingerprint"] == a["fingerprint"] for x in first) for a in again)
    # After the first message there are only those that tell ends.
    assert all(any(a["status"] == "resolved" for a in b["alerts"]) for _, _, b in receiver.messages[1:])
    assert receiver.messages[-1][2]["status"] == "resolved"
    wait_until(lambda: people.bodies("/pagerduty")[-1]["event_action"] == "resolve", 10, "the end of the incident")
    assert {e["dedup_key"] for e in people.bodies("/pagerduty")} == {event["dedup_key"]}
    assert [e["event_action"] for e in people.bodies("/pagerduty")].count("resolve") == 1
