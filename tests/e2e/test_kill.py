"""kill -9 at every step between raising an alert and delivering it: the alert arrives, always with
one webhook-id."""
import random
import threading
import time

import harness
import pytest
from harness import wait_until

RATE = 40


@pytest.fixture
def receivers(stops):
    made = {}

    def get(name):
        if name not in made:
            made[name] = harness.Receiver()
            stops.append(made[name])
        return made[name]
    yield get
    assert not [r.broken for r in made.values() if r.broken]


def ids(receiver):
    return {headers["webhook-id"] for headers in receiver.tried}


def test_killed_at_every_step(service, daemon, receivers):
    registry = service("registry", "-rate", RATE)
    jobs = [{"job_name": "registry", "static_configs": [{"targets": [registry.address]}]}]
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    steps = {}

    def start(step):
        r = receivers(step)
        steps[step] = daemon(jobs, alerting={"receivers": [{"name": "test", "webhook_configs": [{"url": r.url}]}]})
        return steps[step], r

    # The receiver has the message, its answer never comes.
    d, r = start("while delivering")
    killed = threading.Event()

    def kill_once(d=d, killed=killed):
        if not killed.is_set():
            killed.set()
            d.kill()
            return 500
        return 200
    r.answer = kill_once

    # The receiver has answered 200; the daemon dies before, or while, it writes that down.
    d, r = start("just delivered")
    just = threading.Event()

    def kill_after(d=d, just=just):
        if not just.is_set():
            just.set()
            threading.Thread(target=d.kill).start()
        return 200
    r.answer = kill_after

    # The alert is in the store, the receiver was never reached.
    waiting, refusing = start("owed")
    refusing.answer = 503

    # Any moment at all, while the growth is still being judged too.
    restless, often = start("at random")

    def done(step):
        return bool(receivers(step).alerts("firing", alertname="GoroutineLeak"))

    next_kill = time.time() + rng.uniform(0.5, 3)
    end = time.time() + 60
    while not all(done(step) for step in steps) and time.time() < end:
        for step, d in steps.items():
            if not d.alive():
                d.start()
        if time.time() > next_kill and not done("at random"):
            restless.kill()
            next_kill = time.time() + rng.uniform(2, 6)
        if refusing.answer == 503 and refusing.tried:
            waiting.kill()
            refusing.answer = 200
        time.sleep(0.05)
    missing = [step for step in steps if not done(step)]
    assert not missing, f"no alert after a kill {', '.join(missing)}"
    assert killed.is_set() and just.is_set()
    for step, d in steps.items():
        if not d.alive():
            d.start()
        # Whatever the daemon still owes it sends now; it may repeat a message, not make another.
        wait_until(lambda d=d: not d.command("status").get("owed", 0), 15, f"{step}: nothing owed")
        assert len(ids(receivers(step))) == 1, f"{step}: {ids(receivers(step))}"
        assert {h["webhook-id"] for _, h, _ in receivers(step).messages} == ids(receivers(step))
