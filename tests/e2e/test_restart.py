"""What is known outlives the daemon: no second alert, no gap in the history, and the end of the
leak is told by a daemon that did not raise it."""
from harness import wait_until


def test_the_daemon_forgets_nothing_and_the_repair_resolves(service, daemon, receiver):
    registry = service("registry", "-rate", 30)
    d = daemon([{"job_name": "registry", "static_configs": [{"targets": [registry.address]}]}])
    (alert,) = wait_until(lambda: receiver.alerts("firing", job="registry"), 60, receiver.describe)

    def state():
        (row,) = d.command("alerts")["alerts"]
        return row["id"], row["state"]

    def samples():
        return d.command("history", "registry", "http-client-conn")["samples"]

    before = state()
    d.stop()
    # While nothing runs the store still answers.
    assert state() == before and before[1] == "firing"
    kept = samples()
    assert len(kept) > 50

    d.start()
    wait_until(lambda: len(samples()) > len(kept) + 20, 20, "samples after the restart")
    assert samples()[:len(kept)] == kept
    assert state() == before, "the restarted daemon has another alert"
    assert "up," in d.log().split("stopping on SIGTERM")[-1]

    # The repaired build is deployed at the same address.
    registry.stop()
    registry.start(fixed=True)
    (resolved,) = wait_until(lambda: receiver.alerts("resolved", job="registry"), 60, receiver.describe)
    assert resolved["fingerprint"] == alert["fingerprint"]
    assert resolved["startsAt"] == alert["startsAt"] and resolved["endsAt"] > resolved["startsAt"]
    assert len(receiver.alerts("firing")) == 1, "told twice: " + receiver.describe()
    assert "the process was restarted" in d.log()
    d.stop()
