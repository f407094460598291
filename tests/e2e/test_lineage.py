"""Pods that come and go: a new instance continues the history of the one it replaces."""
import json

import stored
from harness import http_get, wait_until
from test_discovery import free_port, groups, put, watched


def jobs(folder):
    return [{"job_name": "pods", "lineage": ["service"], "file_sd_configs": [{"files": [str(folder / "*.json")], "refresh_interval": "1h"}]}]


def runs(d):
    return [info for (info,) in stored.rows(d, "SELECT info FROM run ORDER BY id")]


def standing(d):
    """Alerts of the leak that are not over: their labels and annotations."""
    return [(json.loads(labels), json.loads(annotations)) for labels, annotations in
            stored.rows(d, "SELECT labels, annotations FROM alert WHERE name = 'GoroutineLeak' AND state = 'firing'")]


def leak(service):
    return service("heartbeat", "-users", 50, "-rate", 50)


def test_a_leak_goes_on_from_deploy_to_deploy(service, daemon, receiver, tmp_path):
    web = f"127.0.0.1:{free_port()}"
    one = leak(service)
    put(tmp_path / "pods.json", groups(one, service="shop", pod="shop-1"))
    d = daemon(jobs(tmp_path), web={"listen_address": web})
    wait_until(lambda: receiver.alerts("firing", alertname="GoroutineLeak"), 60, receiver.describe)
    first = receiver.alerts("firing")[0]

    # A rolling update: the new pod is there before the old one goes.
    two = leak(service)
    put(tmp_path / "pods.json", groups(one, service="shop", pod="shop-1") + groups(two, service="shop", pod="shop-2"))
    wait_until(lambda: len(watched(web)) == 2, 10, lambda: watched(web))
    put(tmp_path / "pods.json", groups(two, service="shop", pod="shop-2"))
    wait_until(lambda: set(watched(web)) == {two.address}, 10, lambda: watched(web))
    one.stop()
    wait_until(lambda: any(f"instance {two.address}" in info for info in runs(d)[1:]), 10, lambda: runs(d))
    # One history, of two processes; the alert stands as it was raised and says where it goes on.
    assert stored.rows(d, "SELECT count(*), max(instance) FROM target WHERE gone_ms IS NULL") == [(1, two.address)]
    wait_until(lambda: [a.get("continued_in") for _, a in standing(d)] == [two.address], 10, lambda: standing(d))
    assert standing(d)[0][0]["instance"] == one.address and standing(d)[0][0]["pod"] == "shop-1"
    body = http_get(web, "/metrics")[1].decode()
    assert two.address in body and one.address not in body

    # The next deploy while the daemon is down: taken over through the store.
    d.stop()
    three = leak(service)
    two.stop()
    put(tmp_path / "pods.json", groups(three, service="shop", pod="shop-3"))
    d.start()
    wait_until(lambda: any(f"instance {three.address}" in info for info in runs(d)), 10, lambda: runs(d))
    wait_until(lambda: [a.get("continued_in") for _, a in standing(d)] == [three.address], 10, lambda: standing(d))
    assert "goes on with the history of" in d.log()

    # The repaired version: what stood is resolved, under the name people know it by.
    fixed = service("heartbeat", "-users", 50, "-rate", 50, fixed=True)
    put(tmp_path / "pods.json", groups(fixed, service="shop", pod="shop-4"))
    wait_until(lambda: receiver.alerts("resolved", alertname="GoroutineLeak"), 60, receiver.describe)
    told = receiver.alerts(alertname="GoroutineLeak")
    assert [a["status"] for a in told] == ["firing", "resolved"], receiver.describe()
    assert told[1]["labels"] == first["labels"] and told[1]["fingerprint"] == first["fingerprint"]


def test_replicas_have_one_heir_each(service, daemon, tmp_path):
    web = f"127.0.0.1:{free_port()}"
    old = [service("pool", "-limit", 5 + i) for i in range(2)]
    new = [service("pool", "-limit", 5 + i) for i in range(3)]
    put(tmp_path / "pods.json", groups(*old, service="shop"))
    d = daemon(jobs(tmp_path), web={"listen_address": web})
    wait_until(lambda: set(watched(web)) == {s.address for s in old}, 10, lambda: watched(web))
    put(tmp_path / "pods.json", groups(*new, service="shop"))
    wait_until(lambda: set(watched(web)) == {s.address for s in new}, 10, lambda: watched(web))
    names = "SELECT count(*) FROM target WHERE gone_ms IS NULL AND instance IN (?, ?, ?)"
    wait_until(lambda: stored.rows(d, names, *(s.address for s in new)) == [(3,)], 10, lambda: stored.rows(d, "SELECT * FROM target"))
    # Two of the three go on with a row that was there; the third has one of its own.
    assert sorted(i for (i,) in stored.rows(d, "SELECT id FROM target")) in ([1, 2, 3], [1, 2, 4], [1, 2, 5])
    assert sorted(n for (n,) in stored.rows(d, "SELECT count(*) FROM run GROUP BY target_id")) == [1, 2, 2]
