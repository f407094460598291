"""Dumps of real programs that are too large to be kept, and dumps of which something is missing."""
import os
import re
import signal
import subprocess
import time

import hostile
import pytest
from conftest import find_go
from harness import BUILD, LEAKWATCH, ROOT, command, free_port, http_get, open_terminal, wait_until

MANY = 12000


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """The dumps of one process with 12,000 goroutines: debug=0, 1, 2 and what SIGQUIT prints."""
    go, folder, out = find_go(), tmp_path_factory.mktemp("many"), os.path.join(BUILD, "e2e", "waits")
    assert go, "no Go to build fixtures/waits with: run make deps, or set LEAKWATCH_GO"
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=dict(os.environ, GOTOOLCHAIN="local")).stdout
    if int(re.match(r"go1\.(\d+)", version).group(1)) < 23:
        pytest.skip(f"fixtures/waits wants Go 1.23 (iterators), this is {version.strip()}")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    env = dict(os.environ, GOTOOLCHAIN="local", GOPROXY="off", GOWORK="off", CGO_ENABLED="0")
    env.setdefault("GOCACHE", os.path.join(ROOT, "build", "go-cache"))
    made = f"{out}.{os.getpid()}"
    p = subprocess.run([go, "build", "-trimpath", "-o", made, "."], cwd=os.path.join(ROOT, "fixtures", "waits"), env=env, capture_output=True, text=True)
    assert p.returncode == 0, f"fixtures/waits does not build:\n{p.stdout}{p.stderr}"
    p = subprocess.run([made, "-out", str(folder), "-many", str(MANY), "-quit"], capture_output=True, timeout=60)
    os.remove(made)
    assert p.returncode in (2, -signal.SIGQUIT), p.stderr[-2000:]
    (folder / "many-sigquit.txt").write_bytes(p.stderr)
    return folder


def read(path):
    report = command("report", "--format", "json", path, parse=True)
    assert report["lost"] == 0 and not report["truncated"] and report["parsed"] > MANY, {k: report[k] for k in ("parsed", "lost", "truncated")}
    assert sum(c["count"] for c in report["classes"]) == report["parsed"]
    return report


def crowd(report):
    """What fixtures/waits adds with -many, by class; deep stacks are one class whatever their depth."""
    return {c["class"]: c["count"] for c in report["classes"] if c["class"].startswith("main.") and c["count"] >= MANY // 4}


def test_twelve_thousand_goroutines_in_every_format(many):
    reports = {name: read(many / f"many-{name}") for name in ("debug0.pb.gz", "debug1.txt", "debug2.txt", "sigquit.txt")}
    assert [r["format"] for r in reports.values()] == ["proto", "debug1", "debug2", "crash"]
    seen = {name: crowd(r) for name, r in reports.items()}
    assert sum(seen["debug2.txt"].values()) >= 3 * MANY // 4, seen
    assert all(s == seen["debug2.txt"] for s in seen.values()), seen
    # The pages were asked one after the other: but for the requests themselves it is the same process.
    assert max(r["parsed"] for r in reports.values()) - min(r["parsed"] for r in reports.values()) < 20, {n: r["parsed"] for n, r in reports.items()}
    states = {s["state"]: s["count"] for s in reports["debug2.txt"]["states"]}
    assert all(states[s] >= MANY // 4 for s in ("chan send", "select (no cases)", "chan receive", "sleep")), states


def test_a_large_dump_that_is_cut_anywhere(many, tmp_path):
    whole = (many / "many-debug2.txt").read_bytes()
    for part in (1000, len(whole) // 3, len(whole) // 2, len(whole) - 1000):
        part = whole.index(b"\n\t", part) + 5  # in the name of a file; a header that is cut may look like no header
        path = tmp_path / "cut.txt"
        path.write_bytes(whole[:part])
        report = command("report", "--format", "json", path, parse=True)
        assert report["parsed"] + report["lost"] == whole[:part].count(b"\ngoroutine ") + 1, part
        assert report["truncated"], part


def test_a_large_dump_from_a_log_is_the_same(many, tmp_path):
    plain = command("report", "--format", "json", many / "many-debug2.txt", parse=True)
    path = tmp_path / "journal.txt"
    lines = (many / "many-debug2.txt").read_text().splitlines()
    path.write_text("".join(f"Nov 21 01:33:{n % 60:02} web-1 api[77]: {line}\n" for n, line in enumerate(lines)))
    assert command("report", "--format", "json", path, parse=True) == plain


def test_two_large_dumps_of_one_process(many, tmp_path):
    """By their numbers it is told which goroutines stayed."""
    text = (many / "many-debug2.txt").read_text()
    later = tmp_path / "later.txt"
    later.write_text(re.sub(r"^goroutine (\d*7) \[chan send\]:\n(?:.+\n)+\n", "", text, flags=re.M))
    gone = len(re.findall(r"^goroutine \d*7 \[chan send\]:$", text, re.M))
    assert gone > 100
    diff = command("diff", "--format", "json", many / "many-debug2.txt", later, parse=True)
    assert diff["one_process"] and diff["change"] == -gone, {k: v for k, v in diff.items() if not isinstance(v, list)}


# ---- what is missing is told, and makes no number smaller ------------------------------------------

class Lossy:
    """A service whose dump announces more goroutines than it holds."""

    def __init__(self):
        self.missing, self.chunked, self.headless = 0, False, False

    def __call__(self, conn, path):
        if path.startswith("/metrics"):
            return hostile.answer(conn, hostile.METRICS)
        body = b"goroutine profile: total %d\n%d @ 0x43a1d6 0x46e2a1\n#\t0x46e2a0\tmain.wait+0x20\t/src/app/main.go:17\n\n" % (1000, 1000 - self.missing)
        if self.headless:
            body = body.split(b"\n", 1)[1]
        if not self.chunked:
            return hostile.answer(conn, body)
        conn.sendall(hostile.head("200 OK", None, "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(body), body))  # and no last chunk


def test_losses_are_told(daemon, receiver, stops):
    lossy, web = Lossy(), f"127.0.0.1:{free_port()}"
    server = hostile.Server(lossy)
    stops.append(server)
    rules = {"WatchDumpUnreadable": {"for": "0s", "keep_firing_for": "0s"}, "WatchTargetDown": {"for": "0s", "keep_firing_for": "0s"}}
    d = daemon([{"job_name": "lossy", "static_configs": [{"targets": [server.address]}]}], interval="500ms", window="1s",
               web={"listen_address": web}, alerting={"rules": rules})

    def metric(name):
        body = http_get(web, "/metrics")[1].decode()
        return float(re.search(rf'^{name}{{[^}}]*job="lossy"[^}}]*}} (\S+)$', body, re.M).group(1))

    def row():
        return next(iter(d.command("targets")["targets"]), {"up": False})  # none before the first commit

    wait_until(lambda: row()["up"] and metric("leakwatch_target_goroutines") == 1000, 20, lambda: row())
    lossy.missing = 5  # half of one in a hundred: read, and told in the metrics
    wait_until(lambda: metric("leakwatch_target_goroutines_lost") == 5, 20, "the loss in /metrics")
    assert row()["up"] and not receiver.alerts("firing", job="lossy"), receiver.describe()

    lossy.missing = 50  # more than that: missing, not low
    (alert,) = wait_until(lambda: receiver.alerts("firing", job="lossy", alertname="WatchDumpUnreadable"), 20, receiver.describe)
    assert "50 of 1000 goroutines could not be read" in str(alert["annotations"]), alert
    assert metric("leakwatch_target_goroutines_lost") == 50 and metric("leakwatch_target_unreadable_total") > 0
    assert not row()["up"] and "the dump ends early" in row()["why"], row()
    (alone,) = [c["count"] for c in d.command("classes")["classes"] if c["class"] == "main.wait"]
    assert alone >= 995, "a dump that is not whole was counted"

    lossy.missing, lossy.headless = 0, True  # nothing tells how many there should be
    wait_until(lambda: "no line with the total before" in row()["why"], 20, lambda: row())
    lossy.headless = False
    wait_until(lambda: receiver.alerts("resolved", job="lossy", alertname="WatchDumpUnreadable"), 20, receiver.describe)
    lossy.chunked = True
    wait_until(lambda: "ended early" in row()["why"], 20, lambda: row())
    wait_until(lambda: receiver.alerts("firing", job="lossy", alertname="WatchTargetDown"), 20, receiver.describe)

    # The same answers, asked for by a person.
    p = subprocess.run([LEAKWATCH, "report", f"http://{server.address}/debug/pprof/goroutine?debug=1"], capture_output=True, text=True)
    assert p.returncode == 0 and "cut off" in p.stderr, p
    lossy.chunked, lossy.missing = False, 50
    first = command("report", f"http://{server.address}").splitlines()
    assert "50 of them (5.0 %) could not be read" in first[1], first[:3]


# ---- what takes longer than a second shows where it is, on a terminal only ----------------------------

def slow(conn, path):
    """An answer that comes after a while, and then in two pieces."""
    if path.startswith("/debug/pprof/symbol"):
        return hostile.answer(conn, b"num_symbols: 1\n")
    time.sleep(1.8)
    conn.sendall(hostile.head(length=len(hostile.DUMP)) + hostile.DUMP[:60])
    time.sleep(0.7)
    conn.sendall(hostile.DUMP[60:])


def test_progress_on_a_terminal(stops, tmp_path):
    server = hostile.Server(slow)
    stops.append(server)
    outside, terminal = open_terminal()
    with subprocess.Popen([LEAKWATCH, "report", f"http://{server.address}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal) as p:
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(outside, 4096)
            except OSError:  # nobody has it open any more
                break
            if not piece:
                break
            shown += piece
        out = p.stdout.read().decode()
    os.close(outside)
    assert p.returncode == 0 and "3 goroutines" in out, out
    assert b": no answer yet, after 1 s" in shown and b": 0.0 MB, " in shown, shown
    assert shown.endswith(b"\r\x1b[K"), shown  # nothing of it stays
    assert "\x1b" not in out
    p = subprocess.run([LEAKWATCH, "report", f"http://{server.address}"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert p.returncode == 0 and p.stderr == "" and p.stdout == out, p
