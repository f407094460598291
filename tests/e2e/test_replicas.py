"""Two processes behind one address, as a load balancer has them: what the other one says is neither for nor against a leak, and that
there are two is told."""
import re
import time

from fakes import Fake
from harness import free_port, http_get, wait_until
from test_evidence import leaks, metric


class Balancer:
    """Passes requests on to one of two services: which(part, query) says to which."""

    def __init__(self, services, which):
        self.services, self.which = services, which
        self.fake = Fake({part: (lambda query, part=part: self.ask(part, query)) for part in ("", "goroutine", "metrics", "symbol", "goroutineleak")})
        self.address, self.stop = self.fake.address, self.fake.stop

    def ask(self, part, query):
        path = "/metrics" if part == "metrics" else f"/debug/pprof/{part}"
        return http_get(self.services[self.which(part, query)].address, path + (f"?{query}" if query else ""))


def watch(daemon, balancer, web):
    """Pages that go through Python may take a while on a busy machine."""
    jobs = [{"job_name": "shop", "static_configs": [{"targets": [balancer.address]}]}]
    return daemon(jobs, web={"listen_address": web}, **{"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}})


def test_dumps_of_another_process(service, daemon, receiver, stops):
    """Scrapes keep to one of two that leak alike; dumps of single goroutines end at either.  The leak is told by what the one said."""
    web, dumps = f"127.0.0.1:{free_port()}", []

    def which(part, query):
        if "debug=2" not in query:
            return 0
        dumps.append(len(dumps) % 2)
        return dumps[-1]

    balancer = Balancer([service("registry", "-rate", 3), service("registry", "-rate", 3)], which)
    stops.append(balancer)
    d = watch(daemon, balancer, web)
    (alert,) = wait_until(lambda: leaks(receiver, "shop"), 90, receiver.describe)
    assert alert["labels"]["class"] == "http-client-conn"
    assert re.search(r"of the (about )?\d+ counted at .* nobody left in the next", alert["annotations"]["evidence"]), alert
    assert metric(web, "leakwatch_looks_total", end="other_process") >= 1
    assert metric(web, "leakwatch_looks_total", end="dump") >= 3
    assert "goroutines are not looked at: the dump came from another process: " in d.log()


def test_replicas_in_turns(service, daemon, stops):
    """Every request ends at the other one: the log and the status say so, and nothing is looked at."""
    web, turn = f"127.0.0.1:{free_port()}", []

    def which(part, query):
        if part == "metrics":
            turn.append(1)
        return len(turn) % 2

    first = service("registry", "-rate", 3)
    wait_until(lambda: time.time() - first.started > 2, 5, "two seconds between their start times")
    balancer = Balancer([first, service("sessions", "-rate", 20, "-life", "3s")], which)
    stops.append(balancer)
    d = watch(daemon, balancer, web)
    wait_until(lambda: "2 processes answer in turns, as their start times say; is it behind a load balancer?" in d.log(), 30, d.log)
    wait_until(lambda: "processes answer in turns" in d.command("status", parse=False), 30, lambda: d.command("status", parse=False))
    assert metric(web, "leakwatch_looks_total", end="dump") == 0
