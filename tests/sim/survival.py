#!/usr/bin/env python3
"""What evidence adds on labelled scenarios with births and deaths: prints the table of leakwatch-detect(7).  By hand; needs numpy.

  survival.py --scenarios DIR [--sim FILE] [--seeds A B] [--waits evenly|still] [--families]

DIR holds survival.py, whose make_ids(family, seed) gives a labelled series and the births and deaths of its goroutines.
Each is judged by `sim_evidence --judge`: by counts alone, by evidence alone, by both; scored as scenarios.py does.
"""
import argparse
import importlib.util
import math
import os
import statistics
import subprocess
import sys

# What holds all it has just as a leak does, until its end: no evidence tells it from one.
SAME = {"fixed_life_timers", "migration_ends", "log_rotation_fds"}
RULES = ["suspect", "counts", "evidence", "both"]


def by_minute(np, x):
    minute = np.floor(x.t / 60).astype(int)
    _, first = np.unique(minute, return_index=True)
    n = np.diff(np.append(first, len(minute)))
    mean = lambda y: np.add.reduceat(y, first) / n
    return mean(x.t), mean(x.v), mean(x.load) if x.load is not None else None


def judge(np, sim, waits, cases):
    """The answers of sim_evidence for series with their births and deaths."""
    with subprocess.Popen([sim, "--judge"] + waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        for x, births, deaths in cases:
            t, v, load = by_minute(np, x)
            head = [len(t), len(births), len(x.restarts), 0 if load is None else len(load)]
            for part in (head, t, v, [] if load is None else load, births, deaths, x.restarts):
                p.stdin.write(np.asarray(part, dtype="<f8").tobytes())
            p.stdin.flush()
            yield x, p.stdout.readline().decode("ascii").split()


class Score:
    def __init__(self):
        self.n, self.alarmed, self.delays, self.dumps, self.quick = 0, dict.fromkeys(RULES, 0), {r: [] for r in RULES}, 0, 0

    def add(self, x, answer):
        self.n += 1
        self.dumps += int(answer[4])
        self.quick += int(answer[5])
        for rule, at in zip(RULES, answer):
            if at == "-" or (x.label and float(at) < x.onset):
                continue
            self.alarmed[rule] += 1
            if x.label:
                self.delays[rule].append((float(at) - x.onset) / 3600)

    def show(self, name):
        cells = []
        for rule in RULES:
            delay = f" {statistics.median(self.delays[rule]):5.1f} h" if self.delays[rule] else "        "
            cells.append(f"{100 * self.alarmed[rule] / max(1, self.n):5.1f} %{delay}")
        print(f"{name:<34} {self.n:4d}  " + "  ".join(cells) + f"  {100 * self.quick / max(1, self.n):4.1f} %  {self.dumps / max(1, self.n):5.1f}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--scenarios", default="../shared/scenarios")
    ap.add_argument("--sim", default="build/tests/sim/sim_evidence")
    ap.add_argument("--seeds", nargs=2, type=int, default=(500, 530), metavar=("A", "B"))
    ap.add_argument("--waits", choices=["evenly", "still"], help="let waits alone tell as well; the daemon does not")
    ap.add_argument("--families", action="store_true")
    args = ap.parse_args()
    import numpy as np
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("survival_ids", os.path.join(args.scenarios, "survival.py"))
    ids = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ids)
    totals = {k: Score() for k in ("all leaks", "all benign", "benign that evidence could tell")}
    print(f"{'':<34} {'n':>4}  " + "  ".join(f"{r:<15}" for r in RULES) + "  quick   dumps")
    for label, families in ((True, ids.S.LEAK), (False, ids.S.BENIGN)):
        for family in families:
            if family in ids.NOID:
                continue
            one = Score()
            for x, answer in judge(np, args.sim, [args.waits] if args.waits else [], (ids.make_ids(family, seed) for seed in range(*args.seeds))):
                one.add(x, answer)
                totals["all leaks" if label else "all benign"].add(x, answer)
                if not label and family not in SAME:
                    totals["benign that evidence could tell"].add(x, answer)
            if args.families:
                one.show(("" if label else "benign: ") + family)
                sys.stdout.flush()
    for name, s in totals.items():
        s.show(name)


if __name__ == "__main__":
    main()
