"""The collector's word from bodies that Go 1.26 gave (fixtures/lost), so that a machine with an older Go tests it too."""
import os
import re
import time

import pytest
from fakes import Fake
from harness import ROOT, wait_until


def recorded(*path):
    with open(os.path.join(ROOT, "fixtures", *path), encoding="ascii") as f:
        return f.read()


class Lost:
    """The recorded process, a way in which its goroutines are lost; ever more of them.  No dump of single goroutines is to be had."""

    def __init__(self, way, grows, per_s):
        self.started, self.per_s = time.time(), per_s
        self.routine, self.profile = (recorded("lost", f"{way}-{kind}.txt") for kind in ("debug1", "goroutineleak"))
        self.grows = re.search(rf"^\d+ @ .*\n(?:#.*\n)*#\t\S+\t{re.escape(grows)}\+", self.routine, re.M).group(0).split("\n")[0].split(" ", 1)[1]
        self.fake = Fake({"goroutine": self.goroutine, "goroutineleak": lambda _: self.grown(self.profile),
                          "": lambda _: re.sub(r"<td>181<", f"<td>{181 + self.more()}<", recorded("lost", "index.html")),
                          "metrics": lambda _: f"process_start_time_seconds {self.started}\n"})
        self.address, self.stop = self.fake.address, self.fake.stop

    def more(self):
        return int((time.time() - self.started) * self.per_s)

    def grown(self, text):
        n = self.more()
        text, found = re.subn(rf"^(\d+) {re.escape(self.grows)}$", lambda m: f"{int(m[1]) + n} {self.grows}", text, flags=re.M)
        return re.sub(r"total (\d+)", lambda m: f"total {int(m[1]) + n * found}", text, count=1)

    def goroutine(self, query):
        return (404, "no such page\n") if "debug=2" in query else self.grown(self.routine)


def watch(daemon, job, lost):
    """A page of a fake that is made in Python may take a while on a busy machine."""
    return daemon([{"job_name": job, "static_configs": [{"targets": [lost.address]}]}], **{"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}})


@pytest.mark.parametrize("way, function", [("channel", "main.answer"), ("mutex", "main.(*account).add")])
def test_lost_is_told(daemon, receiver, stops, way, function):
    """So few that counts alone would make them leaking a good while later."""
    lost = Lost(way, function, 5)
    stops.append(lost)
    d = watch(daemon, way, lost)
    wait_until(lambda: f"{function}: suspect -> leaking: proven by the garbage collector: " in d.log(), 90, d.log)
    assert ("goroutineleak", "debug=1") in lost.fake.asked
    # Who waits for a lock is told as stuck; the others as a leak.
    name = "StuckGoroutines" if way == "mutex" else "GoroutineLeak"
    told = wait_until(lambda: [a for a in receiver.alerts("firing", alertname=name, job=way) if a["labels"]["class"] == function], 30, receiver.describe)
    if way != "mutex":
        assert re.search(r"proven by the garbage collector: \d+ of \d+ can never go on", told[0]["annotations"]["evidence"]), told


def test_what_can_be_woken_is_not_proven(daemon, stops):
    """They wait for a channel that a global holds: none is lost, and nobody is told so."""
    waiting = Lost("none", "main.waitForGlobal", 5)
    stops.append(waiting)
    d = watch(daemon, "held", waiting)
    wait_until(lambda: ("goroutineleak", "debug=1") in waiting.fake.asked, 60, d.log)
    told = lambda: next(c["evidence"] for c in d.command("classes")["classes"] if c["class"] == "main.waitForGlobal") or {}
    collector = wait_until(lambda: told().get("collector"), 30, lambda: str(d.command("classes")))
    assert collector["proven"] == 0 and collector["of"] >= 15
    assert "proven by the garbage collector" not in d.log()
