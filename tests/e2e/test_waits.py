"""Waits that can never end and lock convoys are told under names of their own, with where, how fast and who may hold the
lock; what was parked for good at the start, and a lock that is only busy, are not.  The detector's clock runs 1,200 times
as fast."""
import re
import time

import facts
from harness import free_port, http_get, wait_until

HOUR = 3600


def job(name, service):
    return {"job_name": name, "static_configs": [{"targets": [service.address]}]}


def looks(web):
    """How many whole dumps of single goroutines were had."""
    status, body = http_get(web, "/metrics")
    assert status == 200
    return float(re.search(r'^leakwatch_looks_total\{end="dump"\} (\S+)$', body.decode(), re.M)[1])


def names(receiver, name):
    return [a["labels"]["alertname"] for a in receiver.alerts("firing", job=name)]


def standing(d, name):
    return [a["name"] for a in d.command("alerts")["alerts"] if a["labels"]["job"] == name and a["state"] == "firing"]


def test_what_can_never_go_on(service, daemon, receiver):
    """A nil channel twice a second."""
    broken = service("forever", "-rate", 2)
    d = daemon([job("forever", broken)])
    (alert,) = wait_until(lambda: receiver.alerts("firing", job="forever"), 90, receiver.describe)
    assert alert["labels"]["alertname"] == "BlockedForever" and alert["labels"]["class"] == "main.(*source).poll"
    assert alert["labels"]["severity"] == "page"
    said = alert["annotations"]
    assert re.search(r": main\.\(\*source\)\.poll blocks for ever: grows by [\d,.]+/(s|min|h), \d+ goroutines now", said["summary"]), said
    assert said["waits_on"] == "chan receive (nil chan)" and "forever.go:" in said["first_user_line"], said
    assert re.search(r"\d+ of \d+ wait for what can never happen", said["evidence"]), said
    assert "the channel that they wait for is nil" in said["hint"], said
    facts.compare("forever", facts.of(alert), 2 * HOUR, broken.started, within=0.35)
    # A daemon that is killed takes nothing back, and says nothing twice.
    (row,) = d.command("alerts")["alerts"]
    wait_until(lambda: [x["state"] for x in d.command("alerts", "show", row["id"])["deliveries"]] == ["delivered"], 10, "the delivery to be noted")
    d.kill()
    d.start()
    until = time.time() + 5
    wait_until(lambda: time.time() > until, 10, "five seconds")
    assert names(receiver, "forever") == ["BlockedForever"] and not receiver.alerts("resolved"), receiver.describe()
    # Gone with its process.
    broken.stop()
    broken.start(fixed=True)
    wait_until(lambda: receiver.alerts("resolved", job="forever"), 60, receiver.describe)
    assert d.alive()


def test_what_was_parked_at_the_start(service, daemon, receiver):
    """The twin's pollers live for so long that it is suspect, and looked at; its three empty selects stay three."""
    fixed = service("forever", "-rate", 10, "-life", "2m", fixed=True)
    web = f"127.0.0.1:{free_port()}"
    daemon([job("fixed", fixed)], web={"listen_address": web})
    wait_until(lambda: looks(web) >= 4, 60, "four looks")
    assert "BlockedForever" not in names(receiver, "fixed"), receiver.describe()


def test_who_holds_the_lock(service, daemon, receiver):
    """Writers pile up behind one lock: its holder is named where it is inside, and where nobody is, that is said."""
    convoy = service("convoy", "-rate", 8)
    deadlock = service("deadlock", "-rate", 160)
    quiet = service("convoy", "-rate", 8, fixed=True)
    d = daemon([job("convoy", convoy), job("deadlock", deadlock), job("quiet", quiet)])

    def told(name):
        return [a for a in receiver.alerts("firing", job=name) if a["labels"]["alertname"] == "LockConvoy"]

    (held, *_) = wait_until(lambda: told("convoy"), 60, receiver.describe)
    said = held["annotations"]
    assert held["labels"]["class"] == "main.(*journal).add", held
    assert re.search(r": \d+ goroutines of main\.\(\*journal\)\.add wait for one lock, and become more by [\d,.]+/(s|min|h)", said["summary"]), said
    assert re.search(r"\d+ wait for one lock in main\.\(\*journal\)\.add, which may be held by goroutine \d+ "
                     r"\[chan receive[^]]*\] in main\.\(\*journal\)\.flush", said["evidence"]), said
    assert said["waits_on"] == "mutex" and "convoy.go:" in said["first_user_line"] and "lockSlow" in said["example_stack"], said
    facts.compare("convoy", facts.of(held), 8 * HOUR, convoy.started, within=0.5)
    (left, *_) = wait_until(lambda: told("deadlock"), 60, receiver.describe)
    assert "may have returned without unlocking it" in left["annotations"]["evidence"], left
    # One cause, one alert: what was told to be stuck at first was replaced, and no leak is told beside it.
    for name in ("convoy", "deadlock"):
        assert names(receiver, name) in (["LockConvoy"], ["StuckGoroutines", "LockConvoy"]), receiver.describe()
        wait_until(lambda: standing(d, name) == ["LockConvoy"], 10, receiver.describe)
    assert not receiver.alerts(job="quiet"), receiver.describe()
    assert "Look for what the holder waits for" in said["hint"], said
    # The flush comes to its end with the process: nobody waits any more.
    convoy.stop()
    convoy.start(fixed=True)
    wait_until(lambda: [a for a in receiver.alerts("resolved", job="convoy") if a["labels"]["alertname"] == "LockConvoy"], 60, receiver.describe)


def test_where_nobody_may_look(service, daemon, receiver):
    """Without dumps of single goroutines the counts tell that they are stuck, and the evidence why no more is known."""
    convoy = service("convoy", "-rate", 8, "-no-dumps")
    daemon([job("convoy", convoy)])
    (alert,) = wait_until(lambda: receiver.alerts("firing", job="convoy"), 30, receiver.describe)
    assert alert["labels"]["alertname"] == "StuckGoroutines", alert
    assert "cannot be looked at one by one: /debug/pprof/goroutine is not there (404)" in alert["annotations"]["evidence"], alert


def test_a_lock_that_is_only_busy(service, daemon, receiver):
    """Five of six always wait for it, so the counts alone would call them stuck; but they are others each time."""
    busy = service("busy", "-limit", 6, "-life", "50ms")
    web = f"127.0.0.1:{free_port()}"
    daemon([job("busy", busy)], web={"listen_address": web})
    wait_until(lambda: looks(web) >= 4, 60, "four looks")
    assert not receiver.alerts(), receiver.describe()
