"""What a real Prometheus knows of two services, imported: the daemon judges from it at its first scrapes."""
import os
import re
import shutil
import subprocess
import time

import facts
import peers
import pytest
from conftest import BUILD, ROOT
from harness import LEAKWATCH, command, free_port, http_get, wait_until

WATCHED = 25  # s, by Prometheus alone
RATE = 40  # jobs a second, of which every second leaves a goroutine


@pytest.fixture(scope="module")
def prometheus_root():
    try:
        return peers.fetch(ROOT, BUILD, ["prometheus"])["prometheus"]
    except peers.Unavailable as e:
        pytest.skip(f"Debian's Prometheus could not be fetched: {e}")


def promtool(root, *words, cwd=None):
    p = subprocess.run([os.path.join(root, "usr/bin/promtool"), *map(str, words)], capture_output=True, text=True, timeout=60, cwd=cwd)
    assert p.returncode == 0, p.stderr
    return p.stdout


def jobs(**services):
    # Prometheus's own name of the job, since a target is known by job and instance.
    return [{"job_name": "all", "static_configs": [{"targets": [s.address for s in services.values()]}]}]


def recipe():
    """What leakwatch(1) gives jq to do with an answer of Prometheus's API."""
    manual = open(os.path.join(ROOT, "man", "leakwatch.1"), encoding="utf-8").read()
    text = re.search(r"jq -r '(.*?)'", manual, re.S).group(1)
    return text.replace("\\(dq", '"').replace("\\e", "\\")


def settled(d, address):
    return [(a["name"], a["state"]) for a in d.command("alerts")["alerts"] if a["labels"]["instance"] == address]


def test_the_first_scrapes_are_judged_from_prometheus_history(service, daemon, receiver, prometheus_root, tmp_path, stops):
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    prometheus = peers.prometheus(prometheus_root, tmp_path / "prometheus", addresses, interval="200ms")
    stops.append(prometheus)
    prometheus.wait()
    # It is to see them from their beginning, and takes its targets up some seconds after its start.
    wait_until(lambda: b'"value"' in http_get(prometheus.address, "/api/v1/query?query=up")[1], 20, "Prometheus to scrape")
    leak, pool = service("worker-status", "-rate", RATE, address=addresses[0]), service("pool", "-rate", 20, "-limit", 100, address=addresses[1])
    wait_until(lambda: time.time() > leak.started + WATCHED, WATCHED + 5, "a history")
    federated = http_get(prometheus.address, "/federate?match[]=go_goroutines")[1].decode()
    now = int(time.time())
    answer = http_get(prometheus.address, f"/api/v1/query_range?query=go_goroutines&start={now - 20}&end={now}&step=1")[1].decode()
    dump = promtool(prometheus_root, "tsdb", "dump", tmp_path / "prometheus" / "data")  # while it runs
    stops.remove(prometheus)
    prometheus.stop()

    # The recipe of the manual makes of that answer what the dump has of those seconds.
    if shutil.which("jq"):
        made = subprocess.run(["jq", "-r", recipe()], input=answer, capture_output=True, text=True, timeout=20, check=True).stdout
        command("import", "--db", tmp_path / "asked.db", "-", stdin=made)
        latest = command("history", "--db", tmp_path / "asked.db", "--format", "json", f"all/{leak.address}", "total", parse=True)["samples"]
        assert len(latest) >= 18 and latest[-1]["value"] > latest[0]["value"]

    # What tells of one moment, or is JSON, is named, and what would be right.
    for text, says in ((federated, "/federate"), (answer, "HTTP API (JSON)")):
        p = subprocess.run([LEAKWATCH, "import", "--db", tmp_path / "no.db", "-"],
                           input=text, capture_output=True, text=True, timeout=20)
        assert p.returncode == 65 and says in p.stderr and "promtool tsdb dump" in p.stderr, p.stderr

    both = jobs(leak=leak, pool=pool)
    knows = daemon(both, window="100ms", interval="100ms", started=False)
    said = command("import", "-c", knows.config_path, "-", stdin=dump)
    print(said)
    began = time.time()
    knows.start()
    fresh = daemon(both, window="100ms", interval="100ms")
    wait_until(lambda: settled(knows, leak.address), 15, receiver.describe)
    took = time.time() - began
    assert not settled(fresh, leak.address), "a daemon without the history is as fast: the test shows nothing"
    (alert,) = wait_until(lambda: receiver.alerts("firing", instance=leak.address), 5, receiver.describe)
    told = facts.of(alert)
    print(f"alert {took:.1f} s after the start of the daemon")
    facts.compare("imported", told, RATE / 2 * 3600, leak.started, within=0.35, within_seconds=6)

    # The one without it finds the same, when it has seen enough; the healthy one is quiet in both.
    wait_until(lambda: settled(fresh, leak.address), 60, receiver.describe)
    assert not settled(knows, pool.address) and not settled(fresh, pool.address)
    assert knows.command("history", f"all/{leak.address}", "total")["samples"][0]["at"] < began - WATCHED + 5


def test_blocks_made_by_promtool_come_back(prometheus_root, tmp_path):
    """OpenMetrics text into blocks, and what promtool dumps of them: the same history as the text."""
    began = int(time.time()) // 60 * 60 - 6 * 3600
    names = ["go_goroutines", "process_open_fds"]
    text = "".join(f"# TYPE {name} gauge\n" + "".join(
        f'{name}{{instance="10.0.0.1:6060",job="shop \\"x\\""}} {30 + m // 7 * (name == names[0])} {began + 60 * m}\n' for m in range(300))
        for name in names) + "# EOF\n"
    (tmp_path / "history.om").write_text(text)
    promtool(prometheus_root, "tsdb", "create-blocks-from", "openmetrics", "history.om", "blocks", cwd=tmp_path)
    (tmp_path / "blocks" / "wal").mkdir()  # every database has one
    (tmp_path / "dump").write_text(promtool(prometheus_root, "tsdb", "dump", "blocks", cwd=tmp_path))
    told = []
    for name in ("history.om", "dump"):
        command("import", "--db", tmp_path / f"{name}.db", tmp_path / name)
        told.append([command("history", "--db", tmp_path / f"{name}.db", "--format", "json", 'shop "x"/10.0.0.1:6060', series, parse=True)
                     for series in ("total", names[1])])
        assert len(told[-1][0]["samples"]) > 40
    assert told[0] == told[1]
