"""Programs of the distribution, unpacked and watched under a little load: read whole, every goroutine in a class that a
person can name, and nobody told anything: neither in real time nor with a detector that runs 120 times as fast."""
import re
import time

import peers
import pytest
import stored
from conftest import BUILD, ROOT
from harness import wait_until

SECONDS = 75
NAME = r"[\w./~-]+\.(\(\*?\w+\)\.)?\w+"  # a function: package/path.Func or package/path.(*Type).Method
# A goroutine that was made and has not run yet has no frame to be named by.
NO_FRAMES = "(not started)"


@pytest.fixture
def programs(tmp_path, stops):
    try:
        at = peers.fetch(ROOT, BUILD)
    except peers.Unavailable as e:
        pytest.skip(f"Debian's packages could not be fetched: {e}")
    found = [peers.alertmanager(at["prometheus-alertmanager"], tmp_path / "alertmanager"), peers.etcd(at["etcd-server"], tmp_path / "etcd"),
             peers.nats(at["nats-server"], tmp_path / "nats"), peers.caddy(at["caddy"], tmp_path / "caddy")]
    found.append(peers.prometheus(at["prometheus"], tmp_path / "prometheus", [p.address for p in found if p.metrics]))
    stops.extend(found)
    for p in found:
        p.wait()
    return {p.name: p for p in found}


def nameless(c):
    """Why a person could not name this class; None when they can."""
    if c.rule or c.name == NO_FRAMES:
        return None
    if not all(re.fullmatch(NAME, part) for part in c.name.split(" < ")) or re.search(r"0x|\.func\d|\.gowrap", c.name):
        return f"{c.name!r} is no name of a function"
    return None


def table(name, classes):
    print(f"\n{name}: {sum(c.count for c in classes)} goroutines")
    for c in classes:
        print(f"  {c.count:4d}  {c.name}" + ("" if c.rule else "  (by itself)"))


def test_real_programs_are_read_whole_and_not_told(programs, daemon, receiver, stops):
    load = peers.Load(**programs)
    stops.append(load)
    # Without a budget, or a loaded machine has them asked for less often.
    jobs = [{"job_name": p.name, "scrape_budget": "0%", **({} if p.metrics else {"metrics_path": ""}), "static_configs": [{"targets": [p.address]}]}
            for p in programs.values()]
    real = daemon(jobs, window="2m", interval="1s")
    fast = daemon(jobs, window="1s", interval="500ms")
    end, lost = time.time() + SECONDS, 0

    def loaded():
        nonlocal lost
        load.turn()
        if load.turns % 5 == 0:
            lost += sum(n for (n,) in stored.rows(real, "SELECT lost FROM target_status"))
        return time.time() > end

    wait_until(loaded, SECONDS + 20, "the load", every=0.1)

    wrong = [f"{lost} goroutines could not be read"] if lost else []
    for d in (real, fast):
        wrong += [f"in the log: {line}" for line in d.log().splitlines() if re.match(r"\S+Z (warning|error):", line)]
        for name, p in programs.items():
            status = stored.status(d, name)
            if not status.up or status.metrics_up != p.metrics or status.lost or status.parsed < 8:
                wrong.append(f"{name}: {status}")
            classes = stored.classes(d, name)
            wrong += [f"{name}: {why}" for why in map(nameless, classes) if why]
            scrapes = stored.scrapes(d, name)
            if len(scrapes) < SECONDS * 0.9:
                wrong.append(f"{name}: {len(scrapes)} scrapes in {SECONDS} s")
            if d is real:
                table(name, classes)
    if receiver.alerts():
        wrong.append(receiver.describe())
    assert not wrong, "\n".join(wrong)
