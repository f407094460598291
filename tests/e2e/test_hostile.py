"""Servers that answer wrongly in every way: each has a reason that says what is wrong, the daemon
lives, a good target beside them is on time, memory stays bounded."""
import re
import time

import hostile
from harness import SANITIZED, wait_until

MIB = 1 << 20

# behaviour: what the reason in `status` has to say.
WRONG = {
    "silence": (hostile.silence, r"no answer within 500 ms"),
    "drip": (hostile.drip, r"not whole after 500 ms"),
    "endless": (hostile.endless, r"larger than 4194304 bytes"),
    "chunks": (hostile.chunks, r"larger than 4194304 bytes"),
    "half": (hostile.half, r"ended early"),
    "reset": (hostile.reset, r"ended early.*reset"),
    "gzip-bomb": (hostile.gzip_bomb, r"larger than 4194304 bytes"),
    "garbage": (hostile.garbage, r"no goroutine dump"),
    "no-http": (hostile.no_http, r"not proper HTTP"),
    "tls": (hostile.tls, r"not proper HTTP"),
    "html": (hostile.html, r"HTML page"),
    "json": (hostile.json, r"received JSON"),
    "empty": (hostile.empty, r"empty body"),
    "e500": (hostile.status(500, "Internal Server Error"), r"500"),
    "e404": (hostile.status(404, "Not Found"), r"404.*net/http/pprof"),
    "e401": (hostile.status(401, "Unauthorized"), r"401.*authorization"),
    "e403": (hostile.status(403, "Forbidden"), r"forbidden.*403"),
    "elsewhere": (hostile.elsewhere, r"192\.0\.2\.1.*another"),
    "loop": (hostile.loop, r"more than 5 times"),
    "long-line": (hostile.long_line, r"larger than 4194304 bytes"),
    "short": (hostile.short, r"1 of 3 goroutines.*ends early"),
}
# Odd, but no reason to call the target down: what can be read is read.
ODD = {
    "nul": hostile.nul_bytes,
    "evil": hostile.evil_names,
    "metrics": hostile.many_metrics,
}


def test_wrong_answers(service, daemon, stops):
    servers = {name: hostile.Server(behaviour) for name, (behaviour, _) in WRONG.items()}
    servers.update((name, hostile.Server(behaviour)) for name, behaviour in ODD.items())
    stops.extend(servers.values())
    good = service("pool", "-limit", 20)
    address = {name: s.address for name, s in servers.items()} | {"good": good.address}
    d = daemon([{"job_name": name, "body_size_limit": "4MB", "static_configs": [{"targets": [a]}]} for name, a in address.items()],
               interval="500ms", window="1s")

    def rows():
        return {t["job"]: t for t in d.command("targets")["targets"]}

    # Every wrong one has been asked three times, so that this is no first impression.
    wait_until(lambda: all(s.requests >= 3 for s in servers.values()), 40, lambda: {n: s.requests for n, s in servers.items()})
    wait_until(lambda: all(not rows()[name]["up"] for name in WRONG), 20, lambda: [n for n in WRONG if rows()[n]["up"]])

    def vague():
        return [f"{name}: {rows()[name]['why']!r}" for name, (_, expected) in WRONG.items() if not re.search(expected, rows()[name]["why"])]

    # On a loaded machine one of them may have run out of time once.
    wait_until(lambda: not vague(), 20, lambda: "reasons that say what is wrong: " + "; ".join(vague()), every=0.5)
    now = rows()
    for name in WRONG:
        print(f"{name}: {now[name]['why']}")
    for name in ODD:
        assert now[name]["up"] and now[name]["parsed"] == 3 and now[name]["lost"] == 0, now[name]
    assert "larger than 4194304 bytes" in now["metrics"]["metrics_why"]
    log = d.log()
    silent = [name for name in WRONG if address[name] not in log]
    assert not silent, f"the log says nothing of {silent}"

    # The good one is on time: its scrapes go on at their interval.
    assert now["good"]["up"]
    first = time.time()
    seen = set()
    while time.time() < first + 5:
        seen.add(rows()["good"]["last_scrape"])
        time.sleep(0.1)
    print(f"good: {len(seen)} scrapes in 5 s of an interval of 0.5 s")
    assert len(seen) >= 8

    # Nothing of what they said reaches a terminal as it was.
    text = d.command("status", parse=False) + d.command("targets", parse=False) + d.command("classes", parse=False) + log
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    assert "%s%n" in d.command("classes", parse=False), "the odd name is shown as data"
    assert d.alive()
    print(f"most memory: {d.peak_bytes() / MIB:.1f} MiB")
    assert d.peak_bytes() < 64 * MIB * SANITIZED
