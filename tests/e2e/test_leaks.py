"""The leaks of fixtures/services side by side under one daemon: each is told once, with its class,
its rate within a fifth and when it began; repaired twins and healthy services are not told."""
import time
from collections import namedtuple

import facts
from harness import Failed, wait_until

# A leaky service: its flags, what the alert is called and which class it names (None: it has none),
# how many goroutines (or bytes) leak an hour, how long after the start the leak begins.
Leak = namedtuple("Leak", "name flags alert klass per_hour begins")
HOUR = 3600
ENTRY = 128 << 10
LEAKS = [
    Leak("heartbeat", ["-users", 50, "-rate", 50], "GoroutineLeak", "main.(*agent).expire", 50 * HOUR, 0),
    Leak("worker-status", ["-rate", 40], "GoroutineLeak", "main.(*worker).report", 20 * HOUR, 0),
    Leak("pubsub", ["-rate", 20], "GoroutineLeak", "main.(*topic).send", 20 * HOUR, 0.8),
    Leak("logstream", ["-rate", 10, "-life", "1s"], "GoroutineLeak", "http-client-conn", 20 * HOUR, 0),
    Leak("deadlock", ["-rate", 160], "LockConvoy", "main.(*shard).put", 20 * HOUR, 0.6),
    Leak("heap", ["-rate", 20, "-size", ENTRY], "MemoryLeak", None, 20 * ENTRY * HOUR, 0),
]
HEALTHY = [
    ("pool", ["-rate", 20, "-limit", 100]),
    ("spike", ["-rate", 1, "-limit", 100, "-life", "500ms"]),
    ("timers", ["-rate", 50, "-life", "2s"]),
    ("cache", ["-rate", 20, "-life", "2s", "-size", ENTRY]),
    ("crashloop", ["-life", "4s", "-limit", 50]),
]
# A collector that runs often makes the memory of a small heap follow what is kept.
COLLECTOR = {"GOGC": "10"}


def test_leaks_are_told_and_the_rest_is_not(service, daemon, receiver):
    running = {}
    for leak in LEAKS:
        running[leak.name] = service(leak.name, *leak.flags, env=COLLECTOR)
        running[leak.name + "-fixed"] = service(leak.name, *leak.flags, fixed=True, env=COLLECTOR)
    for name, flags in HEALTHY:
        running[name] = service(name, *flags, env=COLLECTOR)
    began = time.time()
    d = daemon([{"job_name": name, "static_configs": [{"targets": [s.address]}]} for name, s in running.items()], window="200ms", interval="200ms")

    def told(leak):
        return receiver.alerts("firing", alertname=leak.alert, job=leak.name)

    try:
        wait_until(lambda: all(told(leak) for leak in LEAKS), 100, receiver.describe, every=0.2)
    except Failed as e:
        missing = [leak.name for leak in LEAKS if not told(leak)]
        raise Failed(f"nobody was told of {', '.join(missing)}; {e}") from None
    # A quarter as long again, for those who should stay quiet and for second messages.
    until = time.time() + (time.time() - began) / 4
    wait_until(lambda: time.time() > until, 60, "the time to settle")

    wrong = []
    for leak in LEAKS:
        # That they wait for a lock for ever may be known, and told, before that they become more.
        stuck = receiver.alerts("firing", job=leak.name, alertname="StuckGoroutines")
        if [a["labels"]["class"] for a in stuck] != [leak.klass] * (len(stuck) if leak.name == "deadlock" else 0) or len(stuck) > 1:
            wrong.append(f"{leak.name}: told to be stuck: {[a['labels'] for a in stuck]}")
        alerts = [a for a in receiver.alerts("firing", job=leak.name) if a["labels"]["alertname"] != "StuckGoroutines"]
        if len(alerts) != 1:
            wrong.append(f"{leak.name}: {len(alerts)} alerts: {[a['labels'] for a in alerts]}")
        if leak.klass and alerts[0]["labels"]["class"] != leak.klass:
            wrong.append(f"{leak.name}: class {alerts[0]['labels']['class']}, not {leak.klass}")
        try:
            facts.compare(leak.name, facts.of(alerts[0]), leak.per_hour, running[leak.name].started + leak.begins)
        except AssertionError as e:
            wrong.append(str(e))
    quiet = {a["labels"]["job"] for a in receiver.alerts()} - {leak.name for leak in LEAKS}
    if quiet:
        wrong.append(f"told of healthy services: {sorted(quiet)}")
    assert not wrong, "; ".join(wrong)
    assert d.alive()

