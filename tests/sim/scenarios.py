#!/usr/bin/env python3
"""Judges labelled scenarios with `leakwatch backtest` and prints how well it did.  By hand; needs numpy.

  scenarios.py --scenarios DIR [--leakwatch FILE] [--seeds A B] [--families] [--config FILE]

DIR holds scenarios.py, which makes labelled series: make(family, seed) -> t, v, load, restarts, leak, label, onset,
rate, kind.  Each series becomes one target of an OpenMetrics history (one sample a minute, the mean of its scrapes),
goes through `leakwatch backtest --format json`, and is scored as the tables of leakwatch-detect(7) are: recall is the
share of leaking series with an alarm at or after the onset, "benign alarmed" that of healthy ones with any.
"""
import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile

T0 = 1700006400.0
FAMILY = {"goroutines": "leakwatch_goroutines", "fds": "process_open_fds", "bytes": "go_memstats_heap_inuse_bytes"}


def by_minute(np, x):
    minute = np.floor(x.t / 60).astype(int)
    _, first = np.unique(minute, return_index=True)
    n = np.diff(np.append(first, len(minute)))
    mean = lambda y: np.add.reduceat(y, first) / n
    return mean(x.t), mean(x.v), mean(x.load) if x.load is not None else None


def write_history(np, x, name, out):
    t, v, load = by_minute(np, x)
    t = t + T0
    family = FAMILY[x.kind]
    label = f'{{target="{name}"' + (',class="c"}' if x.kind == "goroutines" else "}")
    lines = [f"# TYPE {family} gauge"] + [f"{family}{label} {b!r} {a:.3f}" for a, b in zip(t.tolist(), v.tolist())]
    if load is not None:
        lines += ["# TYPE test_load gauge"] + [f'test_load{{target="{name}"}} {b!r} {a:.3f}' for a, b in zip(t.tolist(), load.tolist())]
    starts = [None] + [r + T0 for r in x.restarts]
    lines.append("# TYPE process_start_time_seconds gauge")
    k = 0
    for a in t.tolist():
        while k + 1 < len(starts) and starts[k + 1] < a:
            k += 1
        start = starts[k] if k else T0 + x.t[0] - 0.001
        lines.append(f'process_start_time_seconds{{target="{name}"}} {start:.3f} {a:.3f}')
    out.write("\n".join(lines) + "\n")


class Score:
    def __init__(self, label):
        self.label, self.n = label, 0
        self.alarmed = {"suspect": 0, "firing": 0}
        self.delays = {"suspect": [], "firing": []}
        self.early, self.errors, self.covered, self.open = 0, [], 0, 0
        self.weeks, self.alarms = 0.0, 0


def alarms_of(events):
    """Alarms that fired: a second firing before it is resolved (after a restart, or from held) is the same alarm."""
    n, fired = 0, False
    for e in events:
        n += e["state"] == "firing" and not fired
        fired = e["state"] == "firing" or fired and e["state"] != "resolved"
    return n


def score(x, events, s):
    s.n += 1
    s.weeks += (x.t[-1] - x.t[0]) / 604800
    for level, states in (("suspect", ("suspect", "firing")), ("firing", ("firing",))):
        at = [e for e in events if e["state"] in states]
        if x.label:
            s.early += level == "firing" and any(e["at"] - T0 < x.onset for e in at)
            at = [e for e in at if e["at"] - T0 >= x.onset]
        if not at:
            continue
        s.alarmed[level] += 1
        if x.label:
            s.delays[level].append((at[0]["at"] - T0 - x.onset) / 3600)
            if level == "firing" and not math.isnan(x.rate) and x.rate > 0:
                s.errors.append(abs(at[0]["rate_per_hour"] / x.rate - 1))
                s.covered += at[0]["low"] <= x.rate <= at[0]["high"]
    if not x.label:
        s.alarms += alarms_of(events)


def median(v):
    return statistics.median(v) if v else math.nan


def show(name, s):
    share = lambda k: 100 * s.alarmed[k] / max(1, s.n)
    print(f"{name:<34} n {s.n:4d}  leaking {share('firing'):5.1f} %  suspect {share('suspect'):5.1f} %"
          + (f"  delay h {median(s.delays['firing']):6.1f} / {median(s.delays['suspect']):6.1f}" if s.label
             else f"  false alarms a class-week {s.alarms / max(s.weeks, 1e-9):.2f}"))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--scenarios", default="../shared/scenarios")
    ap.add_argument("--leakwatch", default="build/leakwatch")
    ap.add_argument("--config")
    ap.add_argument("--seeds", nargs=2, type=int, default=(500, 530), metavar=("A", "B"))
    ap.add_argument("--families", action="store_true")
    args = ap.parse_args()
    import numpy as np
    sys.dont_write_bytecode = True
    sys.path.insert(0, args.scenarios)
    import scenarios
    totals, families = {True: Score(True), False: Score(False)}, {}
    for family in list(scenarios.LEAK) + list(scenarios.BENIGN):
        cases = {f"{family}.{seed}": scenarios.make(family, seed) for seed in range(*args.seeds)}
        with tempfile.NamedTemporaryFile("w", suffix=".om") as f:
            for name, x in cases.items():
                write_history(np, x, name, f)
            f.write("# EOF\n")
            f.flush()
            command = [args.leakwatch, "backtest", "--load", "test_load", "--format", "json"]
            out = subprocess.run(command + (["-c", args.config] if args.config else []) + [f.name], capture_output=True, text=True, check=False)
        if out.returncode:
            sys.exit(f"{family}: {out.stderr}")
        events = [json.loads(line) for line in out.stdout.splitlines()]
        label = family in scenarios.LEAK
        families[family] = Score(label)
        for name, x in cases.items():
            mine = [e for e in events if e["target"] == name]
            score(x, mine, families[family])
            score(x, mine, totals[label])
        if args.families:
            show(("" if label else "benign: ") + family, families[family])
    show("all leaks", totals[True])
    show("all benign", totals[False])
    t = totals[True]
    print(f"rate when it fires: median error {100 * median(t.errors):.0f} %, interval covers {100 * t.covered / max(1, len(t.errors)):.0f} %; "
          f"fired before the onset: {t.early} of {t.n}")


if __name__ == "__main__":
    main()
