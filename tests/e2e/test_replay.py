"""What was recorded from a real service is, replayed, the same: the same bodies in the same order at the same times, the
same classes and counts in the daemon, the same verdict; and twice as fast, the same leak at twice its rate."""
import collections
import gzip
import json
import os
import re
import subprocess
import time
from collections import namedtuple

import facts
import stored
from harness import LEAKWATCH, Failed, command, http_get, wait_until

SECONDS = 26  # of the recording
EVERY = 0.2  # between its scrapes
CHECKS = 20  # health checks a second: two goroutines and a descriptor each
LEAK = ("GoroutineLeak", "http-client-conn")
Entry = namedtuple("Entry", "kind at status body")


class Replay:
    """leakwatch replay as a child."""

    def __init__(self, folder, speed):
        self.speed = speed
        self.process = subprocess.Popen([LEAKWATCH, "replay", "--listen", "127.0.0.1:0", "--speed", str(speed), str(folder)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.says = self.process.stdout.readline()
        self.started = time.time()
        said = re.search(r" on ([\d.]+:\d+), ", self.says)
        if not said:
            self.process.kill()
            raise Failed(f"replay did not start: {self.says!r}")
        self.address = said.group(1)

    def stop(self):
        self.process.terminate()
        code = self.process.wait(10)
        self.process.stdout.close()
        assert code == 0, f"replay ended with {code}"


def entries(folder):
    """All of a recording, as lib/recording.h describes it."""
    with gzip.open(os.path.join(folder, "bodies.gz"), "rb") as f:
        while head := f.readline():
            kind, at, status, size = head.split()
            yield Entry(kind.decode(), int(at) / 1000, int(status), f.read(int(size)))
            assert f.read(1) == b"\n"


def classify(folder, bodies):
    """[{class: count}] of dumps, by the command."""
    paths = []
    for i, body in enumerate(bodies):
        paths.append(os.path.join(folder, f"{i:04d}.txt"))
        with open(paths[-1], "wb") as f:
            f.write(body)
    text, at, out = command("classify", "--format", "json", *paths), 0, []
    while at < len(text):
        doc, at = json.JSONDecoder().raw_decode(text, at)
        out.append({c["class"]: c["count"] for c in doc["classes"]})
        at += len(text[at:]) - len(text[at:].lstrip())
    assert len(out) == len(bodies)
    return out


def metric(body, name):
    return float(re.search(rf"^{name} (\S+)$", body.decode(), re.M).group(1))


def jobs(**addresses):
    return [{"job_name": name, "load_metric": "app_users", "static_configs": [{"targets": [a]}]} for name, a in addresses.items()]


def position(replay, at):
    """Which scrape of the recording is due then."""
    return (at - replay.started) * replay.speed / EVERY


def served(replay, dumps, index):
    """One dump from the replay must be, byte for byte, one of the recorded ones, at its time and not before the last one."""
    asked = position(replay, time.time())
    status, body = http_get(replay.address, "/debug/pprof/goroutine?debug=1")
    answered = position(replay, time.time())
    assert status == 200 and body in dumps, "a body that was not recorded"
    found = max(i for i in range(len(dumps)) if dumps[i] == body)
    assert found >= index and min(asked, len(dumps) - 1) - 3 <= found <= answered + 3, f"body {found} after {index}; {asked:.1f} to {answered:.1f} are due"
    return found


def judged(daemon, job):
    """Verdicts on goroutines and descriptors; on memory they depend on when the first sample came."""
    return {name: state for name, state in stored.verdicts(daemon, job).items() if not name.endswith("_bytes")}


def by_entry(counts):
    """A goroutine that was caught at work in a handler: the daemon asks /symbol and knows that it does not wait, so its class is
    the entry; one dump by itself does not tell, and it is "TOP < ENTRY"."""
    found = collections.Counter()
    for name, n in counts.items():
        found[name.split(" < ")[-1]] += n
    return found


def same_counts(daemon, job, replay, truth):
    """Every scrape of the daemon has exactly the counts of the recorded scrape that was served then."""
    compared, truth = 0, list(map(by_entry, truth))
    for at, counts in ((at, by_entry(counts)) for at, counts in stored.counts(daemon, job)):
        due = min(position(replay, at), len(truth) - 1)
        near = truth[max(0, int(due) - 2):int(due) + 10]  # later where the machine is slow
        assert counts in near, f"{job}: {counts} at scrape {due:.1f} of the recording; recorded: {near}"
        compared += 1
    return compared


def test_a_replay_is_what_was_recorded(service, daemon, receiver, stops, tmp_path):
    live = {"leak": service("registry", "-rate", CHECKS), "load": service("traffic", "-rate", 10)}
    first = daemon(jobs(**{name: s.address for name, s in live.items()}))
    recorders = {name: subprocess.Popen([LEAKWATCH, "record", "--interval", "200ms", "--for", f"{SECONDS}s", "--out", str(tmp_path / name), s.address],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for name, s in live.items()}
    for name, r in recorders.items():
        assert r.wait(SECONDS + 20) == 0, f"record of {name} failed"
    verdicts = {name: judged(first, name) for name in live}
    told = {(a["labels"]["job"], a["labels"]["alertname"], a["labels"]["class"]) for a in receiver.alerts("firing")}
    assert told == {("leak", *LEAK)}, receiver.describe()
    first.stop()
    began = {name: s.started for name, s in live.items()}
    for s in live.values():
        s.stop()

    recorded = {name: list(entries(tmp_path / name)) for name in live}
    dumps = {name: [e.body for e in recorded[name] if e.kind == "goroutine"] for name in live}
    truth = {}
    for name in live:
        assert len(dumps[name]) >= 0.95 * SECONDS / EVERY and all(e.status == 200 for e in recorded[name])
        (tmp_path / f"{name}-dumps").mkdir()
        truth[name] = classify(tmp_path / f"{name}-dumps", dumps[name])

    replays = {"leak": Replay(tmp_path / "leak", 1), "load": Replay(tmp_path / "load", 1), "fast": Replay(tmp_path / "leak", 2)}
    stops.extend(replays.values())
    assert "2 times as fast: rates are 2 times the real ones" in replays["fast"].says
    second = daemon(jobs(**{name: r.address for name, r in replays.items()}))
    index = dict.fromkeys(replays, 0)

    def over():
        for name, r in replays.items():
            index[name] = served(r, dumps[name if name in dumps else "leak"], index[name])
        return index["leak"] == len(dumps["leak"]) - 1

    wait_until(over, SECONDS + 20, "the end of the recording", every=0.3)

    # The uptime is the recorded one.
    (at, start), = [(e.at, metric(e.body, "process_start_time_seconds")) for e in recorded["leak"] if e.kind == "metrics"][:1]
    shifted = metric(http_get(replays["leak"].address, "/metrics")[1], "process_start_time_seconds")
    assert abs((replays["leak"].started - shifted) - (at - start)) < 0.5

    # The same classes with the same counts at every scrape; the same verdicts; the same alert.
    for name in live:
        n = same_counts(second, name, replays[name], truth[name])
        print(f"{name}: {n} scrapes of the replay compared with {len(truth[name])} recorded ones; verdicts {judged(second, name)}")
        assert n > 0.8 * SECONDS / 0.1
        assert judged(second, name) == verdicts[name]
    alerts = [a for a in receiver.alerts("firing") if a["at"] > replays["leak"].started]
    assert sorted((a["labels"]["job"], a["labels"]["alertname"], a["labels"]["class"]) for a in alerts) == [("fast", *LEAK), ("leak", *LEAK)]
    for a in alerts:
        name, speed = a["labels"]["job"], replays[a["labels"]["job"]].speed
        lead = (recorded["leak"][0].at - began["leak"]) / speed  # the leak was older when the recording began
        facts.compare(f"replayed {speed} times as fast", facts.of(a), 2 * CHECKS * 3600 * speed, replays[name].started - lead)
