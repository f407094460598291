#!/usr/bin/env python3
"""What scrapes cost the Go service that is scraped: make bench-target.

A service of fixtures/services with 1,000, 10,000 and 100,000 goroutines is asked over one kept
connection; printed are the median time of an answer and the processor time of the service for each
request, by what is asked: the page of profiles, the dump that leakwatch reads every interval
(debug=1) and /metrics.
"""
import http.client
import os
import statistics
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(address, pid, path, seconds=4):
    connection = http.client.HTTPConnection(address, timeout=60)
    times, size, before, idle, end = [], 0, cpu(pid), cpu(pid), time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 9:
        began = time.monotonic()
        connection.request("GET", path)
        size = len(connection.getresponse().read())
        times.append((time.monotonic() - began) * 1000)
    busy = cpu(pid) - before
    connection.close()
    # What the service does by itself in as long a time is not ours.
    idle, began = cpu(pid), time.monotonic()
    time.sleep(2)
    share = (cpu(pid) - idle) / (time.monotonic() - began)
    return statistics.median(times), (busy - share * sum(times) / 1000) / len(times) * 1000, size


def main():
    services = sys.argv[1]
    print(f"{'goroutines':>10}  {'asked':28} {'answer':>9} {'processor':>10} {'bytes':>9}")
    for n in (1000, 10000, 100000):
        p = subprocess.Popen([services, "heartbeat", "-parent", "-addr", "127.0.0.1:0", "-fixed", "-users", str(n), "-rate", "0.01"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        address = p.stdout.readline().split()[1]
        time.sleep(2)
        try:
            for path in ("/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/metrics"):
                took, busy, size = measure(address, p.pid, path)
                print(f"{n:>10}  {path:28} {took:>6.1f} ms {busy:>7.1f} ms {size:>9}")
        finally:
            p.stdin.close()
            p.terminate()
            p.wait()


main()
