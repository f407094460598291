"""A leak is told once, with its class, rate and beginning; its repaired twin and a healthy service
that grows with its load are not told at all."""
import time

import facts
from harness import wait_until

CHECKS = 20  # health checks a second, each of which leaves two goroutines and a descriptor
USERS = 20  # logins a second, each with three goroutines


def job(name, service, **more):
    return {"job_name": name, "static_configs": [{"targets": [service.address]}], **more}


def test_the_leak_is_told_and_nothing_else(service, daemon, receiver):
    registry = service("registry", "-rate", CHECKS)
    twin = service("registry", "-rate", CHECKS, fixed=True)
    traffic = service("traffic", "-rate", USERS)
    told_of_load = {"name": "session", "match": {"entry": "main.(*session)"}, "expect": {"max_metric": "app_users", "factor": 3, "slack": 30}}
    first = daemon([job("registry", registry), job("twin", twin), job("expected", traffic)], classes=[told_of_load])
    second = daemon([job("loaded", traffic, load_metric="app_users"), job("untold", traffic)])

    def leaks(name):
        return receiver.alerts("firing", alertname="GoroutineLeak", job=name)

    wait_until(lambda: leaks("registry") and leaks("untold"), 60, receiver.describe)
    (alert,) = leaks("registry")
    assert alert["labels"]["class"] == "http-client-conn"
    assert alert["labels"]["instance"] == registry.address
    began = registry.started
    facts.compare("registry", facts.of(alert), true_rate=2 * CHECKS * 3600, true_since=began)
    # The truth of the flags is the truth of the process.
    assert registry.leaked("http-client-conn") > CHECKS and twin.leaked() == 0

    # The healthy service is told where nobody said what its load is, once though three classes grow.
    (grown,) = leaks("untold")
    facts.compare("traffic without its metric", facts.of(grown), true_rate=USERS * 3600, true_since=traffic.started)
    assert sum(name in grown["annotations"].get("also", "") for name in ("main.(*session).read", "main.(*session).write", "main.(*session).ping")) == 2

    # As long again, or twelve seconds, and nobody else has been told; nor has anybody been told twice.
    end = time.time() + min(time.time() - began, 12)
    wait_until(lambda: time.time() > end, 30, "the time to settle")
    others = [a["labels"] for a in receiver.alerts() if a["labels"]["job"] not in ("registry", "untold")]
    assert not others, f"told of healthy services: {others}"
    assert len(leaks("registry")) == 1 and len(leaks("untold")) == 1, receiver.describe()
    assert first.alive() and second.alive()
