"""Single goroutines are looked at where a class is suspect: what never leaves is told, what comes and goes is not, and
where a look cannot be had the reason says why.  The detector's clock runs 1,200 times as fast: its two hours are six seconds."""
import re

from harness import command, free_port, http_get, wait_until


def job(name, service, **more):
    return {"job_name": name, "static_configs": [{"targets": [service.address]}], **more}


def metric(address, name, **labels):
    """The sum of the samples of our own metrics with that name and those labels."""
    status, body = http_get(address, "/metrics")
    assert status == 200
    total = 0.0
    for line in body.decode().splitlines():
        m = re.fullmatch(r"(\w+)(\{.*\})? (\S+)", line)
        if m and m[1] == name and all(f'{k}="{v}"' in (m[2] or "") for k, v in labels.items()):
            total += float(m[3])
    return total


def leaks(receiver, name):
    return receiver.alerts("firing", alertname="GoroutineLeak", job=name)


def test_what_never_leaves_is_told(service, daemon, receiver):
    """Too few for the counts alone for a long time; nobody leaves within the second hour of six seconds."""
    registry = service("registry", "-rate", 3)
    d = daemon([job("registry", registry)])
    (alert,) = wait_until(lambda: leaks(receiver, "registry"), 60, receiver.describe)
    assert alert["labels"]["class"] == "http-client-conn"
    assert re.search(r"of the (about )?\d+ counted at \d\d:\d\d \(UTC\), \d+ outlived the first", alert["annotations"]["evidence"]), alert
    assert "nobody left in the next" in alert["annotations"]["evidence"]
    assert "dialConn" in alert["annotations"]["created_by"]
    assert " -> leaking: of the " in d.log()
    # What it told is kept: the class's facts, and the dump, whole.
    found = d.command("alerts")["alerts"][0]
    text = wait_until(lambda: exhibit(d, found["id"]), 10, "the exhibit")
    assert text.count("\ngoroutine ") + 1 >= 30 and "net/http.(*persistConn).readLoop" in text
    assert "created by net/http.(*Transport).dialConn" in text
    assert not re.search(r"\(0x[0-9a-f]", text), "argument words were kept"


def exhibit(d, alert):
    try:
        return command("alerts", "show", alert, "--dump", "--db", d.db)
    except AssertionError:
        return ""


def test_what_comes_and_goes_is_not(service, daemon, receiver):
    """A fresh process fills with sessions of eight seconds in the mean: suspect by its counts, looked at, and not told."""
    sessions = service("sessions", "-rate", 40, "-life", "8s")
    web = f"127.0.0.1:{free_port()}"
    d = daemon([job("sessions", sessions)], web={"listen_address": web})
    wait_until(lambda: re.search(r"main\.visit: \w+ -> suspect", d.log()), 40, "a suspicion")
    wait_until(lambda: metric(web, "leakwatch_looks_total", end="dump") >= 8, 40, "eight looks")
    assert not leaks(receiver, "sessions"), receiver.describe()
    assert not re.search(r"main\.visit: \S+ -> leaking", d.log())
    assert metric(web, "leakwatch_looks_total", end="budget") == 0
    predicted, paused = (metric(web, f"leakwatch_looks_{x}pause_seconds_total") for x in ("predicted_", ""))
    assert 0 < predicted < 1 and 0 <= paused < 10


def test_too_dear_to_look_at(service, daemon, receiver):
    """4,000 goroutines more: a dump would stop the service for too long, so counts decide, and the reason says so."""
    registry = service("registry", "-rate", 10, "-idle", 4000)
    web = f"127.0.0.1:{free_port()}"
    daemon([job("registry", registry)], web={"listen_address": web})
    wait_until(lambda: metric(web, "leakwatch_looks_total", end="budget") > 0, 40, "a look that is too dear")
    assert metric(web, "leakwatch_looks_total", end="dump") == 0
    (alert,) = wait_until(lambda: leaks(receiver, "registry"), 60, receiver.describe)
    assert re.search(r"cannot be looked at one by one: a dump of its 4\d+ goroutines .* evidence.max_pause is 25 ms", alert["annotations"]["evidence"]), alert


def test_no_dumps(service, daemon, receiver):
    """Where goroutine?debug=2 is not let through, counts decide, and the reason says so."""
    registry = service("registry", "-rate", 10, "-no-dumps")
    daemon([job("registry", registry)])
    (alert,) = wait_until(lambda: leaks(receiver, "registry"), 60, receiver.describe)
    assert re.search(r"cannot be looked at one by one: /debug/pprof/goroutine is not there \(404\)", alert["annotations"]["evidence"]), alert


def test_the_collector_proves_it(proving_service, daemon, receiver):
    """Workers that send to a channel nobody has any more are proven lost at the first look; connections are still reachable."""
    workers = proving_service("worker-status", "-rate", 8)
    registry = proving_service("registry", "-rate", 3)
    d = daemon([job("workers", workers), job("registry", registry)])
    (alert,) = wait_until(lambda: leaks(receiver, "workers"), 60, receiver.describe)
    m = re.search(r"proven by the garbage collector: (\d+) of (\d+) can never go on", alert["annotations"]["evidence"])
    assert m and int(m[1]) >= 10 and int(m[1]) * 2 > int(m[2]), alert
    (alert,) = wait_until(lambda: leaks(receiver, "registry"), 60, receiver.describe)
    assert "the garbage collector proves none of them lost" in alert["annotations"]["evidence"], alert
    assert d.alive()
