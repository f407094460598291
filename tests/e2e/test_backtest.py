"""leakwatch backtest, as scripts use it: JSON lines, exit codes, every way a history may come."""
import gzip
import json
import os
import subprocess

import pytest
from harness import LEAKWATCH, open_terminal

T0 = 1700000000
KEYS = ["at", "target", "class", "state", "rate_per_hour", "low", "high", "since", "reason"]


def run(*words, data=None, code=0):
    p = subprocess.run([LEAKWATCH, "backtest", *map(str, words)], input=data, capture_output=True, timeout=60, check=False)
    assert p.returncode == code, p.stderr.decode()
    return p.stdout.decode(), p.stderr.decode()


def leak(name="c1", hours=60, per_hour=30, stops=36):
    """A class that leaks, stops and is taken back at the end; with its process's start."""
    lines = []
    for minute in range(hours * 60):
        t = T0 + 60 * minute
        v = 20 + per_hour * min(minute, stops * 60) // 60 if minute < (hours - 4) * 60 else 20
        lines.append(f'leakwatch_goroutines{{target="t1",class="{name}"}} {v} {t}')
        lines.append(f'process_start_time_seconds{{target="t1"}} {T0 - 30} {t}')
    return "\n".join(lines) + "\n# EOF\n"


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.om"
    path.write_text(leak())
    return path


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines(history):
    got = events(run("--format", "json", history)[0])
    assert [list(e) for e in got] == [KEYS] * len(got)
    assert [e["state"] for e in got] == ["suspect", "firing", "held", "resolved"]
    assert [e["at"] for e in got] == sorted(e["at"] for e in got)
    assert {(e["target"], e["class"]) for e in got} == {("t1", "c1")}
    firing, resolved = got[1], got[3]
    assert firing["low"] < 30 < firing["high"] and abs(firing["rate_per_hour"] - 30) < 2
    assert abs(firing["since"] - T0) < 3600 and "floor rose" in firing["reason"]
    assert [resolved[k] for k in ("rate_per_hour", "low", "high")] == [None] * 3
    assert resolved["since"] == firing["since"] and "came back" in resolved["reason"]


# The same history from a file, from standard input, gzip'd, and with its series one after the other.
def test_every_way_in(history, tmp_path):
    want = run("--format", "json", history)[0]
    text = history.read_bytes()
    packed = tmp_path / "history.om.gz"
    packed.write_bytes(gzip.compress(text))
    lines = text.decode().splitlines()[:-1]
    apart = "\n".join(sorted(lines, key=lambda x: (not x.startswith("process"), int(x.rsplit(" ", 1)[1])))) + "\n# EOF\n"
    assert run("--format", "json", "-", data=text)[0] == want
    assert run("--format", "json", packed)[0] == want
    assert run("--format", "json", "-", data=packed.read_bytes())[0] == want
    assert run("--format", "json", "-", data=apart.encode())[0] == want


def test_text_and_exit_codes(history, tmp_path):
    text, told = run("--fail-on-leak", history, code=1)
    assert " firing " in text and "t1 c1" in text and "1 series of 1 targets" in told
    flat = tmp_path / "flat.om"
    flat.write_text(leak(per_hour=0))
    assert run("--fail-on-leak", flat)[0] == ""
    run(tmp_path / "none.om", code=74)
    run("-", data=b"\x00\x01 not metrics\n", code=65)
    assert "no timestamps" in run("-", data=b'go_goroutines{job="a"} 3\n', code=65)[1]
    run(code=2)
    run("--format", "yaml", history, code=2)
    run("--load", "a{b=~c}", history, code=2)
    assert run("--help")[0].startswith("usage: leakwatch backtest")


# What a class or target is called comes from outside: on a terminal it moves nothing, as JSON it is whole.
def test_hostile_names(tmp_path):
    path = tmp_path / "h.om"
    path.write_text(leak(name="\x1b[2J\u202ex"))
    assert "\x1b" not in run(path)[0] and "\u202e" not in run(path)[0]
    assert events(run("--format", "json", path)[0])[0]["class"] == "\x1b[2J\u202ex"


# A cut download is judged as far as it goes, and said.
def test_cut_gzip(history, tmp_path):
    packed = gzip.compress(history.read_bytes())
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[:len(packed) * 3 // 4])
    text, told = run("--format", "json", path)
    assert [e["state"] for e in events(text)][:2] == ["suspect", "firing"]
    assert "ends too early" in told


def test_load_and_configuration(tmp_path):
    lines = []
    for minute in range(40 * 60):
        load = 100 + minute / 5
        lines.append(f'leakwatch_goroutines{{target="t1",class="c1"}} {int(2 * load)} {T0 + 60 * minute}')
        lines.append(f'sessions{{target="t1"}} {load} {T0 + 60 * minute}')
    path, config = tmp_path / "load.om", tmp_path / "leakwatch.yaml"
    path.write_text("\n".join(lines) + "\n# EOF\n")
    run("--fail-on-leak", path, code=1)
    assert run("--fail-on-leak", "--load", "sessions", path)[0] == ""
    config.write_text("scrape_configs: [{job_name: a, load_metric: sessions, static_configs: [{targets: ['a:1']}]}]\n")
    assert run("--fail-on-leak", "-c", config, path)[0] == ""
    config.write_text("detect: {ref: 100000}\n")
    assert run("--fail-on-leak", "-c", config, path)[0] == ""
    config.write_text("detect: {ref: many}\n")
    run("-c", config, path, code=1)


def test_milliseconds_are_named(tmp_path):
    """Prometheus's older text format has milliseconds: said, not judged as the year 55,841."""
    path = tmp_path / "ms.txt"
    path.write_text("".join(f'leakwatch_goroutines{{target="t1",class="c1"}} {m} {(T0 + 60 * m) * 1000}\n' for m in range(100)))
    out, err = run(path, code=65)
    assert not out
    assert "milliseconds" in err


def test_progress_on_a_terminal(tmp_path):
    """A long read tells how far it is, on a terminal and nowhere else."""
    path = tmp_path / "long.om"
    path.write_text("".join(f'leakwatch_goroutines{{target="t1",class="{"c" * 150}"}} 5 {T0 + m}\n' for m in range(60000)) + "# EOF\n")
    assert path.stat().st_size > 9 << 20
    ours, theirs = open_terminal()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        with subprocess.Popen([LEAKWATCH, "backtest", str(path)], stdout=subprocess.PIPE, stderr=theirs) as p:
            os.close(theirs)
            out = p.stdout.read()
            assert p.wait(timeout=60) == 0
        err = terminal.read(65536)
    assert b"reading, MiB: 8" in err and b"judging series 1 of 1" in err
    assert not out
    assert "reading" not in run(path)[1]
