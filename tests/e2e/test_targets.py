"""Targets that come, go, restart and answer late."""
import re
import time

import hostile
from harness import wait_until


def target_row(daemon, job):
    rows = [t for t in daemon.command("targets")["targets"] if t["job"] == job]
    return rows[0] if rows else {"up": False}  # not stored yet


def jobs(**services):
    return [{"job_name": name, "static_configs": [{"targets": [s if isinstance(s, str) else s.address]}]} for name, s in services.items()]


def test_a_target_that_goes_is_told_and_comes_back(service, daemon, receiver):
    comes = service("pool", "-limit", 5)
    d = daemon(jobs(comes=comes), alerting={"rules": {"WatchTargetDown": {"for": "1s", "keep_firing_for": "0s"}}})
    wait_until(lambda: target_row(d, "comes")["up"], 10, "the target to be up")
    comes.stop()
    (down,) = wait_until(lambda: receiver.alerts("firing", alertname="WatchTargetDown"), 15, receiver.describe)
    assert down["labels"]["instance"] == comes.address
    assert not target_row(d, "comes")["up"]
    comes.start()
    (back,) = wait_until(lambda: receiver.alerts("resolved", alertname="WatchTargetDown"), 15, receiver.describe)
    assert back["fingerprint"] == down["fingerprint"]


def test_a_leak_outlives_its_process(service, daemon, receiver):
    """The leaky build is deployed again while its alert stands: the same alert goes on in the next
    run, and ends when the repaired build runs."""
    told = service("heartbeat", "-users", 5, "-rate", 40)
    d = daemon(jobs(told=told))

    def heard(status):
        return receiver.alerts(status, alertname="GoroutineLeak")

    wait_until(lambda: heard("firing"), 60, receiver.describe)
    told.stop()
    told.start()
    wait_until(lambda: "the process was restarted" in d.log(), 10, "the daemon to see the restart")
    # The new run is found to leak at the rate of the old one.
    wait_until(lambda: len(re.findall(r"agent..expire: suspect -> leaking", d.log())) == 2, 40, "the leak in the new run")
    (alert,) = d.command("alerts")["alerts"]
    assert alert["state"] == "firing"
    told.stop()
    told.start(fixed=True)
    wait_until(lambda: heard("resolved"), 60, receiver.describe)
    assert len(heard("firing")) == 1 and len(heard("resolved")) == 1, receiver.describe()


def test_one_that_answers_late_holds_up_nobody(service, daemon, stops):
    def late(conn, path):
        time.sleep(0.25)
        hostile.sound(conn, path)

    slow = hostile.Server(late)
    stops.append(slow)
    quick = service("pool", "-limit", 5)
    d = daemon(jobs(slow=slow.address, quick=quick), interval="300ms", window="1s")
    wait_until(lambda: target_row(d, "slow")["up"] and target_row(d, "quick")["up"], 15, "both to be up")
    asked = slow.requests
    wait_until(lambda: slow.requests >= asked + 6, 15, "the slow one to be asked again")
