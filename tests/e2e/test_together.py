"""Many targets under one daemon that come, go, restart, answer late or never: each is told for itself, and the healthy one is
asked on time throughout.  Restarts of processes that do not tell when they started neither raise an alert nor end one."""
import time

import hostile
import stored
from harness import free_port, wait_until

INTERVAL, TIMEOUT = 0.5, 0.5  # of most targets
LEAK = 40  # jobs a second, of which every second leaves a goroutine


def job(name, address, **more):
    return {"job_name": name, "static_configs": [{"targets": [address]}], **more}


def late(conn, path):
    time.sleep(0.8 * TIMEOUT)
    hostile.sound(conn, path)


def kill(service):
    """kill -9, as the kernel does it when memory is short."""
    process, service.process = service.process, None
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def runs(daemon, name):
    ((n,),) = stored.rows(daemon, "SELECT count(*) FROM run r JOIN target t ON t.id = r.target_id WHERE t.job = ?", name)
    return n


def state(daemon, name):
    """(up or not, why not), as `leakwatch status` has it."""
    found = [(t["up"], t["why"]) for t in daemon.command("status")["targets"] if t["job"] == name]
    return found[0] if found else (False, "not scraped yet")


def test_each_is_told_for_itself_and_nobody_waits(service, daemon, receiver, stops):
    slow, silent = hostile.Server(late), hostile.Server(hostile.silence)
    stops.extend([slow, silent])
    to_come = f"127.0.0.1:{free_port()}"
    steady, mortal = service("pool", "-limit", 5), service("pool", "-limit", 20, "-rate", 100)
    d = daemon([job("steady", steady.address), job("slow", slow.address, scrape_interval="2s"), job("silent", silent.address, scrape_interval="2s"),
                job("to-come", to_come), job("mortal", mortal.address)], interval="500ms", window="1s")

    def up(name, seconds=10):
        return wait_until(lambda: state(d, name)[0], seconds, lambda: f"{name} to be up: {state(d, name)}")

    def down(name, *words):
        wait_until(lambda: not state(d, name)[0] and any(w in state(d, name)[1] for w in words), 10,
                   lambda: f"{name} to be down because of one of {words}: {state(d, name)}")

    for name in ("steady", "slow", "mortal"):
        up(name)
    down("silent", "no answer", "did not answer", "not within", "timeout")
    down("to-come", "nobody listens")

    # One comes after the daemon.
    comes = service("pool", "-limit", 5, address=to_come)
    up("to-come")
    assert f"to-come/{to_come}: up" in d.log()

    # One is killed, stays away for a while, and comes back at the same address: another run.
    kill(mortal)
    down("mortal", "nobody listens", "broke off")
    gone = time.time()
    wait_until(lambda: time.time() > gone + 1.5, 5, "some scrapes without it")
    before = len(stored.scrapes(d, "mortal"))
    mortal.start()
    up("mortal")
    wait_until(lambda: len(stored.scrapes(d, "mortal")) >= before + 4, 10, "scrapes of the new run")
    assert runs(d, "mortal") == 2 and runs(d, "steady") == 1
    assert d.log().count("the process was restarted") == 1

    # One goes for good, and is told in every place; the others are not touched by it.
    comes.stop()
    down("to-come", "nobody listens")
    for name in ("steady", "slow", "mortal"):
        assert state(d, name) == (True, "")
    assert not state(d, "silent")[0]
    shown = d.command("status", parse=False)
    assert "3 up, 2 down" in shown, shown

    # The healthy one was asked every interval through all of this; the late one, too.
    for name, interval in (("steady", INTERVAL), ("slow", 2)):
        at = stored.scrapes(d, name)
        gaps = [b - a for a, b in zip(at, at[1:])]
        print(f"{name}: {len(at)} scrapes, {interval} s apart; at least {min(gaps):.3f} s, at most {max(gaps):.3f} s")
        assert max(gaps) <= 2 * interval, f"{name} was not asked for {max(gaps):.2f} s"
    assert not receiver.alerts(), receiver.describe()


def test_restarts_without_a_start_time(service, daemon, receiver):
    untold = ["-no-start-time"]
    leak = service("worker-status", "-rate", LEAK, *untold)
    pool = service("pool", "-limit", 60, "-rate", 200, *untold)
    traffic = service("traffic", "-users", 30, "-rate", 0.1, *untold)
    d = daemon([job("leak", leak.address), job("pool", pool.address), job("traffic", traffic.address)])

    def heard(status):
        return [a["fingerprint"] for a in receiver.alerts(status)]

    def goroutines(name):
        status = stored.status(d, name)
        return status.parsed if status and status.up else 0

    # Healthy ones are restarted again and again: every time a fall, then a rise to where they were.
    deploys = 0
    while not heard("firing") or deploys < 4:
        wait_until(lambda: goroutines("pool") > 60 and goroutines("traffic") > 90, 15, "the healthy ones to fill")
        pool.stop()
        traffic.stop()
        pool.start()
        traffic.start()
        deploys += 1
        assert deploys < 40, "no alert: " + receiver.describe()
        again = time.time() + 1.5
        wait_until(lambda: time.time() > again, 5, "a while between two deploys")
    (alert,) = receiver.alerts("firing")
    assert alert["labels"]["job"] == "leak" and alert["labels"]["class"] == "main.(*worker).report"
    # The pool is seen to fall by half, since it has next to nothing when it is new; of traffic nothing is to be seen.
    wait_until(lambda: runs(d, "pool") > 1, 5, "a restart of the pool to be seen")
    print(f"{deploys} deploys; runs seen: pool {runs(d, 'pool')}, traffic {runs(d, 'traffic')}")

    # The leaking one restarts: nothing is told, the alert goes on.
    (before,) = d.command("alerts")["alerts"]
    leak.stop()
    leak.start()
    restarted = time.time()
    wait_until(lambda: runs(d, "leak") == 2, 10, "the daemon to see the restart")
    # Half an hour of the detector's clock before the leak can be seen again, two before it is taken as repaired: 1.5 s and 6 s.
    wait_until(lambda: time.time() > restarted + 15, 20, "the leak to go on")
    (after,) = d.command("alerts")["alerts"]
    assert after["id"] == before["id"] and after["state"] == "firing", after
    assert heard("firing") == [alert["fingerprint"]] and not heard("resolved"), receiver.describe()

    # The repaired twin runs: it ends, once.
    leak.stop()
    leak.start(fixed=True)
    wait_until(lambda: heard("resolved"), 40, receiver.describe)
    assert heard("resolved") == heard("firing") == [alert["fingerprint"]], receiver.describe()
    (ended,) = d.command("alerts")["alerts"]
    print(f"resolved: {ended['reason']}")
    assert ended["id"] == before["id"] and ended["state"] == "resolved"
