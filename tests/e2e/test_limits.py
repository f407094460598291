"""Limits hold and are told: a service with thousands of distinct stacks."""
import os

import stored
from harness import SANITIZED, wait_until

STACKS = 72 * 72  # fixtures/services/stacks.go
LIMIT = 300  # limits.classes_per_target, its default
SCRAPES = 25


def resident(pid):
    """Bytes resident now."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_thousands_of_stacks_become_the_class_other(service, daemon, receiver):
    stacks, quiet = service("stacks"), service("pool", "-limit", 5)
    jobs = [{"job_name": name, "static_configs": [{"targets": [s.address]}]} for name, s in (("stacks", stacks), ("quiet", quiet))]
    d = daemon(jobs, interval="400ms", window="1s")
    wait_until(lambda: len(stored.scrapes(d, "stacks")) >= 3, 30, "three scrapes")
    early = resident(d.process.pid)
    wait_until(lambda: len(stored.scrapes(d, "stacks")) >= SCRAPES, 60, "more scrapes")
    late = resident(d.process.pid)

    # As many classes as allowed, and one more for everything else; no goroutine is missing from the sum.
    classes = stored.classes(d, "stacks")
    assert len(classes) == LIMIT + 1
    (other,) = [c for c in classes if c.name == "other"]
    ((total,),) = stored.rows(d, "SELECT value FROM v_latest WHERE kind = 'total' AND target LIKE 'stacks/%'")
    ignored = sum(c.count for c in classes if c.name == "leakwatch-scrape")
    status = stored.status(d, "stacks")
    print(f"stacks: {status.parsed} goroutines, {len(classes)} classes, {other.count} in other; daemon {early >> 10} KiB resident after three scrapes, "
          f"{late >> 10} KiB after {SCRAPES}, at most {d.peak_bytes() >> 10} KiB")
    assert other.count > STACKS - LIMIT - 50
    assert status.lost == 0 and sum(c.count for c in classes) == status.parsed == total + ignored
    # It is judged as every other class is: its series has samples of its own, and it is not ignored.
    assert len([n for _, n in stored.counts(d, "stacks") if n.get("other")]) >= SCRAPES - 1

    # Said where people look: in the log once, in the status, with the class.
    told = [line for line in d.log().splitlines() if "classes_per_target" in line]
    assert len(told) == 1 and f"({LIMIT})" in told[0], told
    assert f"{other.count} goroutines" in status.why and "classes_per_target" in status.why, status.why
    assert "classes_per_target" in other.hint
    shown = d.command("status", parse=False)
    assert "up" in shown and "classes_per_target" in shown, shown
    assert not stored.status(d, "quiet").why

    # Nothing grows, so nobody is told; and the daemon's memory does not grow with what it reads again and again.
    assert not receiver.alerts(), receiver.describe()
    if SANITIZED == 1:  # the address sanitizer keeps what was freed, to see it used again
        assert late < early + (4 << 20), "the daemon's memory grows"
    assert d.peak_bytes() < (64 << 20) * SANITIZED
