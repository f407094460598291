"""Two real Alertmanagers in a cluster, one of them away for a while: the alert is firing in both, then resolved in both,
without flapping, as their own API and the messages they send tell."""
import threading
import time

import alertmanagers
import peers
import pytest
from conftest import BUILD, ROOT
from harness import wait_until


@pytest.fixture
def cluster(tmp_path, stops, receiver):
    """Two members that know each other and tell the receiver what they decide; not started."""
    try:
        package = alertmanagers.fetch(ROOT, BUILD)
    except peers.Unavailable as e:
        pytest.skip(f"Debian's Alertmanager could not be fetched: {e}")
    members = [alertmanagers.Member(package, tmp_path / name, name, receiver.url) for name in ("am-1", "am-2")]
    for m in members:
        m.others = [o for o in members if o is not m]
    stops.extend(members)
    return members


class Watcher:
    """Reads a member's API over and over, and keeps every change of what it lists."""

    def __init__(self, member):
        self.member, self.seen, self.on = member, [], True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.on:
            try:
                now = sorted((a["labels"]["job"], a["status"]["state"]) for a in self.member.alerts().values())
            except (OSError, AssertionError):
                now = None  # it is away
            if not self.seen or self.seen[-1] != now:
                self.seen.append(now)
            time.sleep(0.1)

    def stop(self):
        self.on = False
        self.thread.join(5)


def test_a_cluster_with_one_member_away(cluster, service, daemon, receiver, stops):
    first, second = cluster
    first.start().wait()
    registry = service("registry", "-rate", 30)
    d = daemon([{"job_name": "registry", "static_configs": [{"targets": [registry.address]}]}],
               alerting={"receivers": [{"name": "cluster", "alertmanager_configs": [
                   {"urls": [f"http://{second.address}", f"http://{first.address}/"], "timeout": "1s"}]}]})
    watcher = Watcher(first)
    stops.append(watcher)
    told = wait_until(lambda: [a for a in first.alerts().values() if a["labels"]["job"] == "registry"], 60, "the alert in the first")[0]
    assert told["labels"]["class"] == "http-client-conn" and told["labels"]["alertname"] == "GoroutineLeak"
    assert told["annotations"]["summary"] and told["annotations"]["look_further"].startswith("leakwatch alerts show ")
    wait_until(lambda: f"http://{second.address}: " in d.log(), 10, "a word about the one that is away")

    second.start().wait()
    (same,) = wait_until(second.alerts, 60, "the alert in the second").values()
    assert same["labels"] == told["labels"] and same["startsAt"] == told["startsAt"]
    wait_until(lambda: f"http://{second.address} takes alerts again" in d.log(), 10, "that it is back")

    # A daemon that is killed tells the same alert when it is back, though nothing was queued.
    d.kill()
    d.start()
    second.stop()
    registry.stop()
    registry.start(fixed=True)
    wait_until(lambda: not first.alerts(), 60, "the first to list it no more")
    second.start().wait()
    wait_until(lambda: receiver.alerts("resolved", job="registry"), 30, receiver.describe)
    wait_until(lambda: not second.alerts(), 60, "the second to list it no more")
    watcher.stop()
    assert watcher.seen == [[], [("registry", "active")], []] or watcher.seen == [[("registry", "active")], []], watcher.seen
    assert len({a["startsAt"] for a in receiver.alerts(job="registry")}) == 1, receiver.describe()
    (end,) = {a["endsAt"] for a in receiver.alerts("resolved", job="registry")}
    assert end > told["startsAt"]
