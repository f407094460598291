"""What is known outlives the daemon, and a leak outlives the process that has it."""
import facts
from harness import wait_until

RATE = 30


def jobs(*services):
    return [{"job_name": s.name, "static_configs": [{"targets": [s.address]}]} for s in services]


def test_the_daemon_forgets_nothing_and_the_repair_resolves(service, daemon, receiver):
    registry = service("registry", "-rate", RATE)
    d = daemon(jobs(registry))
    (alert,) = wait_until(lambda: receiver.alerts("firing", job="registry"), 60, receiver.describe)
    before = d.command("alerts")
    d.stop()

    # While nothing runs the store still answers.
    assert d.command("alerts") == before
    assert len(before["alerts"]) == 1 and before["alerts"][0]["state"] == "firing"

    d.start()
    scrapes = {"seen": 0}

    def scraped_again():
        (target,) = d.command("targets")["targets"]
        scrapes["seen"] = target["scrapes"] if "scrapes" in target else 0
        return target["up"]

    wait_until(scraped_again, 10, "a scrape after the restart")
    assert d.command("alerts")["alerts"][0]["id"] == before["alerts"][0]["id"], "the restarted daemon has another alert"

    # The repaired build is deployed at the same address.
    registry.stop()
    registry.start(fixed=True)
    (resolved,) = wait_until(lambda: receiver.alerts("resolved", job="registry"), 60, receiver.describe)
    assert resolved["fingerprint"] == alert["fingerprint"]
    assert resolved["startsAt"] == alert["startsAt"] and resolved["endsAt"] > resolved["startsAt"]
    assert len(receiver.alerts("firing")) == 1, "told twice: " + receiver.describe()
    (row,) = [a for a in d.command("alerts")["alerts"] if a["id"] == before["alerts"][0]["id"]] or [None]
    d.stop()
