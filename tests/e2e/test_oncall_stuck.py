"""Requests that wait for ever for a lock are told though they do not grow; those of a busy lock are not; a daemon that is
killed takes nothing back."""
from harness import Failed, wait_until

import pytest


def job(name, service):
    return {"job_name": name, "static_configs": [{"targets": [service.address]}]}


def test_a_deadlock_that_does_not_grow(service, daemon, receiver):
    stuck, busy = service("stuck", "-rate", 100, "-limit", 7), service("stuck", "-rate", 100, fixed=True)
    d = daemon([job("stuck", stuck), job("busy", busy)], alerting={"rules": {"StuckGoroutines": {"keep_firing_for": "0s"}}})
    (alert,) = wait_until(lambda: receiver.alerts("firing", job="stuck"), 30, receiver.describe)
    assert alert["labels"]["alertname"] == "StuckGoroutines" and alert["labels"]["class"] == "main.(*ledger).book"
    said = alert["annotations"]
    assert "7 goroutines of main.(*ledger).book are stuck: waiting for a mutex at one place" in said["summary"], said
    assert said["waits_on"] == "mutex" and "main.(*ledger).book" in said["first_user_line"] and "sync.(*Mutex).Lock" in said["example_stack"]

    # What is delivered and not yet noted as such would be sent again, under the same id.
    (row,) = [a for a in d.command("alerts")["alerts"] if a["labels"]["job"] == "stuck"]
    wait_until(lambda: [x["state"] for x in d.command("alerts", "show", row["id"])["deliveries"]] == ["delivered"], 10, "the delivery to be noted")
    d.kill()
    d.start()
    with pytest.raises(Failed):
        wait_until(lambda: len(receiver.alerts(job="stuck")) > 1, 4, "a second word")
    stuck.stop()
    stuck.start(fixed=True)
    wait_until(lambda: receiver.alerts("resolved", job="stuck"), 30, receiver.describe)
    assert not receiver.alerts(job="busy"), receiver.describe()
