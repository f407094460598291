"""The commands as scripts use them: exit codes and JSON keys of the contract."""
import json
import os
import re
import stat
import subprocess
import time

import pytest
from harness import LEAKWATCH, ROOT, command, free_port, http_get, wait_until

CLASS_KEYS = {"class", "count", "share", "oldest_minutes", "states", "entries", "created_by", "locations", "stack", "rate_per_hour", "hint"}
REPORT_KEYS = {"format", "total", "parsed", "duplicates", "lost", "truncated", "states", "waiting", "classes", "entries", "created_by", "stuck"}


@pytest.fixture
def watched(service, daemon):
    """A daemon with one leaking target, already told of."""
    registry = service("registry", "-rate", 40)
    d = daemon([{"job_name": "registry", "static_configs": [{"targets": [registry.address]}]}])
    wait_until(lambda: [a for a in d.command("alerts")["alerts"] if a["state"] == "firing"], 60, "an alert")
    return registry, d


# What is wrong on the command line of any command ends with 2 and says where help is.
@pytest.mark.parametrize("words", [["no-such-command"], ["report", "--no-such-option"], ["classify", "--format", "xml", "-"], ["check-config", "extra"],
                                   ["history", "--db", "x.db", "only-a-target"], ["replay"], ["record", "--out", "x"], ["run", "extra"]])
def test_usage_errors(words):
    assert command(*words, code=2) == ""


@pytest.mark.parametrize("name", ["run", "check-config", "report", "classify", "diff", "status", "targets", "classes", "alerts", "history", "record", "replay"])
def test_help(name):
    assert command(name, "--help").startswith(f"usage: leakwatch {name}")
    assert name in command("--help")


def test_check_config(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text('scrape_configs:\n  - job_name: checkout\n    static_configs: [{targets: ["127.0.0.1:6060"]}]\n')
    bad.write_text('global: {scrape_intervall: 1m}\nscrape_configs:\n  - job_name: checkout\n    static_configs: [{targets: [17, "http://x"]}]\n')
    assert "configuration OK" in command("check-config", "-c", good)
    assert "checkout" in command("check-config", "-c", good, "--print")
    p = subprocess.run([LEAKWATCH, "check-config", "-c", str(bad)], capture_output=True, text=True)
    said = p.stdout + p.stderr
    assert p.returncode == 1
    assert f"{bad}:1:10: " in said and "scrape_interval" in said, said
    assert f"{bad}:4:" in said, said
    # run refuses the same file with a code that a unit does not start again after.
    command("run", "-c", bad, code=78)


# Dumps as people have them: in a log, two in one file, several files, two to compare.
def test_report_of_saved_dumps(tmp_path):
    good = open(os.path.join(ROOT, "fixtures", "dumps", "waits-debug2.txt")).read()
    whole = command("report", "--format", "json", "-", stdin=good, parse=True)
    logged = "".join(f"Nov 21 01:33:{n % 60:02} web-1 api[77]: {line}\n" for n, line in enumerate(good.splitlines()))
    assert command("report", "--format", "json", "-", stdin=logged, parse=True) == whole
    assert "mended: log prefixes" in command("report", "-", stdin=logged)
    aged = open(os.path.join(ROOT, "fixtures", "dumps", "zoo-aged-debug1.txt")).read()
    both = tmp_path / "both.txt"
    both.write_text(aged + good)
    assert command("report", "--format", "json", both, parse=True)["parsed"] == whole["parsed"]
    assert "the last of 2 dumps" in command("report", both)
    each = [json.loads(line) for line in command("report", "--format", "json", "--all", both).splitlines()]
    assert [r["format"] for r in each] == ["debug1", "debug2"] and each[1]["parsed"] == whole["parsed"]
    first, second = tmp_path / "1.txt", tmp_path / "2.txt"
    first.write_text(good)
    second.write_text(good + good.replace("goroutine 1 [", "goroutine 99999 ["))
    table = command("report", first, second)
    assert table.startswith("SOURCE") and str(first) in table and str(second) in table
    written = command("report", "--format", "markdown", first)
    for title in ("### Where to look", "### What to do", "### By class", "### By state", "### Created by"):
        assert title in written, title
    page = command("report", "--format", "html", first)
    assert page.startswith("<!") and "<h2>By class</h2>" in page and page.rstrip().endswith("</html>")
    command("report", "--format", "html", first, second, code=2)
    diff = command("diff", "--format", "json", both, first, parse=True)
    assert diff["change"] == 0 and diff["one_process"] and diff["same_stack"] == whole["parsed"]
    command("diff", first, code=2)
    command("diff", first, tmp_path / "is-not-there", code=74)


def test_report_and_classify_a_service(service):
    registry = service("registry", "-rate", 40)
    wait_until(lambda: registry.leaked() > 100, 10, "a hundred leaked goroutines")
    for name in ("report", "classify"):
        out = command(name, "--format", "json", f"http://{registry.address}/debug/pprof/goroutine?debug=1", parse=True)
        (row,) = [c for c in out["classes"] if c["class"] == "http-client-conn"]
        assert row["count"] >= 100 and row["rate_per_hour"] is None
        assert sum(c["count"] for c in out["classes"]) == out["parsed"]
    out = command("report", "--format", "json", f"http://{registry.address}/debug/pprof/goroutine?debug=2", parse=True)
    assert out["format"] == "debug2" and REPORT_KEYS <= set(out), REPORT_KEYS - set(out)
    (row,) = [c for c in out["classes"] if c["class"] == "http-client-conn"]
    assert CLASS_KEYS <= set(row), CLASS_KEYS - set(row)
    assert row["created_by"][0]["function"] == "net/http.(*Transport).dialConn"
    assert {e["function"] for e in row["entries"]} == {"net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop"}
    assert row["oldest_minutes"] == 0 and row["hint"]


# Two dumps of a service that leaks: who stayed, who came, and how fast, when the time between them is known.
def test_report_against_a_baseline(service, tmp_path):
    registry = service("registry", "-rate", 40)
    wait_until(lambda: registry.leaked() > 100, 10, "a hundred leaked goroutines")
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    at, body = time.time(), http_get(registry.address, "/debug/pprof/goroutine?debug=2")[1]
    old.write_bytes(body)
    before = registry.leaked()
    wait_until(lambda: registry.leaked() > before + 100, 10, "a hundred more")
    gap = time.time() - at
    new.write_bytes(http_get(registry.address, "/debug/pprof/goroutine?debug=2")[1])
    out = command("report", "--format", "json", "--baseline", old, "--gap", f"{int(gap * 1000)}ms", new, parse=True)
    (row,) = [c for c in out["classes"] if c["class"] == "http-client-conn"]
    assert out["baseline"]["one_process"] and out["baseline"]["source"] == str(old)
    assert row["baseline"]["gone"] == 0 and row["baseline"]["stayed"] == row["baseline"]["old"] > 50
    rate = row["rate_per_hour"]
    assert rate["low"] < row["baseline"]["new"] * 3600 / gap < rate["high"] and "came" in rate["basis"]
    # Without the time there is no rate, and that is said.
    out = command("report", "--format", "json", "--baseline", old, new, parse=True)
    assert out["baseline"]["gap_minutes"] is None
    assert "how long apart is not known" in command("report", "--baseline", old, new)
    assert "It grows by" in command("report", "--format", "markdown", "--baseline", old, "--gap", "5s", new)
    command("report", "--baseline", old, new, new, code=2)
    command("report", "--gap", "5s", new, code=2)
    command("report", "--baseline", old, "--gap", "soon", new, code=2)
    command("report", "--baseline", tmp_path / "is-not-there", new, code=74)


def test_report_from_standard_input_and_of_nonsense(service, tmp_path):
    pool = service("pool", "-limit", 10, "-rate", 100)
    wait_until(lambda: pool.metrics()["go_goroutines"] > 10, 10, "the pool to fill")
    dump = http_get(pool.address, "/debug/pprof/goroutine?debug=2")[1].decode()
    whole = command("report", "--format", "json", "-", stdin=dump, parse=True)
    assert whole["lost"] == 0 and not whole["truncated"]
    # One that ends in the middle is read as far as it goes, and that is no failure.
    assert 0 < command("report", "--format", "json", "-", stdin=dump[:len(dump) // 2], parse=True)["parsed"] < whole["parsed"]
    command("report", "-", stdin="<html>no dump</html>\n", code=65)
    command("report", tmp_path / "is-not-there", code=74)
    command("report", f"http://127.0.0.1:{free_port()}/debug/pprof/goroutine?debug=1", code=74)


def test_commands_on_a_store(watched, tmp_path):
    registry, d = watched
    status = d.command("status")
    assert status["running"] is True
    (target,) = d.command("targets")["targets"]
    assert target["job"] == "registry" and target["instance"] == registry.address and target["up"] is True
    assert "http-client-conn" in [c["class"] for c in d.command("classes")["classes"]]
    (alert,) = d.command("alerts")["alerts"]
    assert alert["labels"]["alertname"] == "GoroutineLeak"
    shown = d.command("alerts", "show", alert["id"])
    assert shown["id"] == alert["id"]
    history = d.command("history", "registry", "http-client-conn")
    values = [s["value"] for s in history["samples"]]
    assert len(values) > 10 and values == sorted(values) and values[-1] > values[0] + 100
    for words in (["status"], ["targets"], ["classes"], ["alerts"], ["history", "registry", "http-client-conn"]):
        assert d.command(*words, parse=False).strip(), words
    d.command("history", "no-such-target", "http-client-conn", code=1, parse=False)
    command("status", "--db", tmp_path / "no.db", code=74)

    # A second daemon on the same store is refused, and the first goes on.
    command("run", "-c", d.config_path, code=75)
    assert d.alive()
    d.stop()
    assert d.command("status")["running"] is False


def test_a_recording_is_the_service(service, tmp_path, stops):
    """What is replayed has the goroutines of the service it was made of, to the last one."""
    registry = service("registry", "-rate", 20)
    out = tmp_path / "recording"
    command("record", "--interval", "200ms", "--for", "2s", "--out", out, registry.address)
    for folder, _, files in os.walk(out):
        for name in files:
            mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
            assert mode == 0o600, f"{name} is {mode:o}"
    meta = json.loads((out / "recording.json").read_text())
    # Ten, unless a busy machine took one away.
    assert meta["target"] == registry.address and meta["interval_ms"] == 200 and meta["scrapes"] in (9, 10), meta

    replay = Replay(out, 10)
    stops.append(replay)
    assert "10 times" in replay.said, replay.said

    def leaked():
        url = f"http://{replay.address}/debug/pprof/goroutine?debug=1"
        found = command("report", "--format", "json", url, parse=True)
        return next((c["count"] for c in found["classes"] if c["class"] == "http-client-conn"), 0)

    # 2 s of 40 goroutines a second, gone through in 0.2 s; then it stays where it ended.
    end = wait_until(lambda: leaked() if leaked() >= 60 else 0, 10, "the end of the recording")
    assert end == leaked() and 60 <= end <= 100
    status, metrics = http_get(replay.address, "/metrics")
    assert status == 200 and b"fixture_leaked_goroutines" in metrics
    command("replay", "--listen", replay.address, out, code=74)  # taken
    command("replay", "--listen", "127.0.0.1:0", tmp_path, code=65)  # no recording


class Replay:
    def __init__(self, folder, speed):
        self.process = subprocess.Popen([LEAKWATCH, "replay", "--listen", "127.0.0.1:0", "--speed", str(speed), str(folder)], stdout=subprocess.PIPE, text=True)
        self.said = self.process.stdout.readline()
        self.address = re.search(r"127\.0\.0\.1:\d+", self.said).group()

    def stop(self):
        self.process.terminate()
        self.process.stdout.close()
        assert self.process.wait(5) == 0


def test_bad_store_is_refused(tmp_path):
    text = tmp_path / "text.db"
    text.write_text("this is no database\n" * 100)
    command("status", "--db", text, code=65)
