"""scrape_budget: a target whose dumps cost it much is asked for them less often, and watched all the same."""
import time

import stored
from fakes import Fake
from harness import free_port, http_get, wait_until

DUMP = """goroutine profile: total {n}
{n} @ 0x43be36 0x408a3b 0x408538 0x68551e 0x46c5c1
#\t0x68551d\tmain.(*session).wait+0x1d\t/src/app/session.go:38

"""
INDEX = "<html><table><tr><td>{n}</td><td><a href='goroutine?debug=1'>goroutine</a></td></tr></table></html>"


class Slow(Fake):
    """A process whose dumps take a while; nothing else does."""

    def __init__(self, seconds):
        self.seconds, self.goroutines = seconds, 1000
        super().__init__({"goroutine": self.dump, "": lambda _: INDEX.format(n=self.goroutines),
                          "metrics": lambda _: f"process_start_time_seconds 1700000000\nprocess_open_fds {self.goroutines}\n",
                          "symbol": lambda _: "num_symbols: 1\n0x43be36 runtime.gopark\n"})

    def dump(self, _):
        time.sleep(self.seconds)
        return DUMP.format(n=self.goroutines)

    def count(self, part):
        return sum(p == part for p, _ in self.asked)


def gauge(web, name):
    return next(float(line.split()[-1]) for line in http_get(web, "/metrics")[1].decode().splitlines() if line.startswith(name))


def test_a_target_whose_dumps_are_dear(daemon, stops):
    web = f"127.0.0.1:{free_port()}"
    slow, quick = Slow(0.35), Slow(0)
    stops += [slow, quick]
    jobs = [{"job_name": name, "scrape_interval": "500ms", "scrape_timeout": "500ms", "scrape_budget": "10%", "static_configs": [{"targets": [s.address]}]}
            for name, s in (("slow", slow), ("quick", quick))]
    d = daemon(jobs, window="2m", web={"listen_address": web})  # budgets are for the detector's real clock
    wait_until(lambda: slow.count("") >= 12, 40, lambda: slow.asked)
    # 350 ms in 500 is seven times the budget: one dump in eight scrapes.  The rest goes on as before.
    dumps, index, metrics = (slow.count(part) for part in ("goroutine", "", "metrics"))
    assert dumps <= 8 and metrics >= dumps + index - 1, (dumps, index, metrics)
    assert quick.count("") == 0 and quick.count("goroutine") >= 12
    assert gauge(web, "leakwatch_targets_over_budget") == 1 and gauge(web, "leakwatch_targets_up") == 2
    told = d.command("status", parse=False)
    assert "scrape_budget" in told, told

    # In between the total follows the index, and so do the metrics.
    slow.goroutines = 1500
    n = slow.count("goroutine")
    total = "SELECT value FROM v_latest WHERE target LIKE 'slow/%' AND (kind = 'total' OR name = 'process_open_fds')"
    wait_until(lambda: [v for (v,) in stored.rows(d, total)] == [1500, 1500], 10, lambda: stored.rows(d, total))
    assert slow.count("goroutine") <= n + 1
    assert {got for (got,) in stored.rows(d, "SELECT got FROM scrape s JOIN target t ON t.id = s.target_id WHERE t.job = 'slow'")} >= {3, 6}

    # Dumps have become cheap: asked for in every scrape again.
    slow.seconds = 0
    wait_until(lambda: gauge(web, "leakwatch_targets_over_budget") == 0, 60, lambda: slow.asked[-20:])
    # And who is gone is gone, whichever page was asked for.
    slow.seconds = 0.35
    wait_until(lambda: gauge(web, "leakwatch_targets_over_budget") == 1, 30, lambda: slow.asked[-20:])
    wait_until(lambda: [p for p, _ in slow.asked[-4:]].count("goroutine") == 0, 30, lambda: slow.asked[-20:])
    slow.stop()
    wait_until(lambda: not stored.status(d, "slow").up, 10, lambda: stored.status(d, "slow"))
    assert gauge(web, "leakwatch_targets_up") == 1
