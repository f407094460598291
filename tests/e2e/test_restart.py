"""What is known outlives the daemon: no second alert, no gap in the history, and the end of the
leak is told by a daemon that did not raise it."""
import time

import stored
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


RESTARTS, EVERY, INTERVAL = 10, 2, 0.2  # s


def test_restarted_ten_times_it_finds_the_same_at_the_same_time(service, daemon, receiver):
    """Every second restart is a kill.  Compared is what each daemon says, in its database."""
    leak = service("worker-status", "-rate", 40)
    # Without a budget, or a loaded machine has one of them ask less often.
    job = [{"job_name": "leak", "scrape_budget": "0%", "static_configs": [{"targets": [leak.address]}]}]
    # Looks at single goroutines are kept in memory only, which leakwatch-detect(7) says: without them.
    through, restless = (daemon(job, window="200ms", interval="200ms", evidence={"max_pause": "0s"}) for _ in range(2))

    def alert(d):
        found = [a for a in d.command("alerts")["alerts"] if a["name"] == "GoroutineLeak"]
        return found[0] if found else None

    for n in range(RESTARTS):
        due = leak.started + EVERY * (n + 1)
        wait_until(lambda due=due: time.time() > due, 2 * EVERY, "the next restart")
        if n % 2:
            restless.kill()
        else:
            restless.stop()
        restless.start()
    assert not alert(through) and not alert(restless), "too early: the test shows little"
    one, two = (wait_until(lambda d=d: alert(d), 60, receiver.describe) for d in (through, restless))

    assert one["labels"] == two["labels"] and one["id"] != ""
    late = two["fired"] - one["fired"]
    one, two = (stored.rows(d, "SELECT v.since_ms, v.rate_per_hour, v.low, v.high FROM verdict v JOIN series e ON e.id = v.series_id"
                                " WHERE v.state = 'leaking' AND e.name = ?", one["labels"]["class"])[0] for d in (through, restless))
    print(f"fired {late:+.3f} s, since {(two[0] - one[0]) / 1000:+.3f} s, rate {two[1] / one[1] - 1:+.3%} beside the one that ran through")
    assert abs(late) <= INTERVAL
    assert abs(two[0] - one[0]) <= INTERVAL * 1000
    assert abs(two[1] / one[1] - 1) < 0.02 and two[2] <= one[1] <= two[3]
