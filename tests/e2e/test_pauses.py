"""What a dump of single goroutines costs the service that is looked at: predicted, measured by the service itself (the pauses that its
runtime counts, Go 1.22 and later), told, learnt from, and refused where it is over evidence.max_pause."""
import re

import pytest
from harness import free_port, wait_until
from test_evidence import job, metric

PAUSES = "go_sched_pauses_total_other_seconds"
IDLE = 4000


def paused_at_most(service):
    """The seconds that the service stood still so far, at most, as its histogram tells."""
    total = before = 0.0
    for name, count in service.metrics().items():
        m = re.fullmatch(PAUSES + r'_bucket\{le="(\S+)"\}', name)
        if m and count > before:
            total += (count - before) * float(m[1])
            before = count
    return total


@pytest.fixture
def crowded(service):
    """A leak beside so many idle goroutines."""
    s = service("registry", "-rate", 3, "-idle", IDLE)
    if not any(name.startswith(PAUSES) for name in s.metrics()):
        pytest.skip("the services' Go is older than 1.22: it does not count its pauses")
    return s


def test_what_a_dump_costs_is_measured(crowded, daemon):
    web, before = f"127.0.0.1:{free_port()}", paused_at_most(crowded)
    d = daemon([job("registry", crowded)], web={"listen_address": web}, evidence={"max_pause": "200ms"}, options=["--log-level", "debug"])
    told = wait_until(lambda: looks(d) if len(looks(d)) >= 5 else None, 60, d.log)
    # The first prediction knows nothing of the service but how many it has: 10 frames of 0.4 us each, printed three times.
    n, paused, predicted = told[0]
    assert n >= IDLE and predicted == pytest.approx(n * 10 * 0.4 * 3 / 1000, rel=0.1)
    # What a look is said to have cost is some time, and no more than the service itself counted; it is learnt from.
    assert all(0 < p <= (paused_at_most(crowded) - before) * 1000 for _, p, _ in told), told
    assert abs(told[-1][2] - told[-1][1]) < abs(predicted - paused) / 2, told
    # Both as sums in our own metrics.
    predicted_s, paused_s = (metric(web, f"leakwatch_looks_{x}pause_seconds_total") for x in ("predicted_", ""))
    assert predicted_s >= sum(p for _, _, p in told) / 1000 - 0.001 and paused_s >= sum(p for _, p, _ in told) / 1000 - 0.001


def looks(d):
    """(goroutines, ms at most, ms predicted) of each look whose cost is known."""
    found = re.findall(r"looked at (\d+) goroutines one by one; it was stopped for (\S+) ms at most, (\S+) ms were predicted", d.log())
    return [(int(n), float(a), float(b)) for n, a, b in found]


def test_a_budget_of_a_millisecond(crowded, daemon):
    web = f"127.0.0.1:{free_port()}"
    d = daemon([job("registry", crowded)], web={"listen_address": web}, evidence={"max_pause": "1ms"})
    wait_until(lambda: metric(web, "leakwatch_looks_total", end="budget") > 0, 60, d.log)
    why = r"a dump of its 4\d\d\d goroutines one by one would stop it for about (4|5)\d ms in all, and evidence\.max_pause is 1 ms"
    assert re.search("goroutines are not looked at: " + why, d.log()), d.log()
    assert metric(web, "leakwatch_looks_total", end="dump") == 0
    assert metric(web, "leakwatch_looks_pause_seconds_total") == 0
