#!/usr/bin/env python3
"""Holds detect against the Python reference of its method.  By hand.

  parity.py --reference DIR [--sim FILE] [--count N] [--write]

DIR holds floor2.py.  Each of N series of sim_detect goes through the reference; with --write the minutes of its first
alarm and of its first leaking become tests/sim/parity.txt, which `make check` compares with what detect says.  Without it
the differences between the two are printed here.
"""
import argparse
import os
import subprocess
import sys

T0 = 1700006400.0
HERE = os.path.dirname(os.path.abspath(__file__))


def first(events, *states):
    at = [t for t, s in events if s in states]
    return "-" if not at else f"{(at[0] - T0) / 60:.0f}"


def of_reference(floor2, sim, number):
    s = floor2.Series("goroutines")
    for line in subprocess.run([sim, "--dump", str(number)], capture_output=True, text=True, check=True).stdout.splitlines():
        f = line.split()
        if f[1] == "restart":
            s.restart(float(f[0]))
        else:
            s.sample(float(f[0]), float(f[1]), float(f[2]) if len(f) > 2 else None)
    return [(e["at"], e["state"]) for e in s.events]


def of_detect(sim, number):
    out = subprocess.run([sim, "--say", str(number)], capture_output=True, text=True, check=True).stdout
    return [(float(f[0]), f[1]) for f in (line.split() for line in out.splitlines())]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--reference", default="../shared/reference")
    ap.add_argument("--sim", default="build/tests/sim/sim_detect")
    ap.add_argument("--count", type=int, default=300)
    ap.add_argument("--write", action="store_true")
    args = ap.parse_args()
    sys.dont_write_bytecode = True
    sys.path.insert(0, args.reference)
    import floor2
    lines, different = [], 0
    for number in range(args.count):
        want = of_reference(floor2, args.sim, number)
        line = f"{number} {first(want, 'suspect', 'leaking')} {first(want, 'leaking')}"
        lines.append(line)
        got = of_detect(args.sim, number)
        if line != f"{number} {first(got, 'suspect', 'leaking')} {first(got, 'leaking')}":
            different += 1
            print(f"series {number}: reference {want[:3]}, detect {got[:3]}")
    print(f"{args.count} series, {different} different")
    if args.write:
        with open(os.path.join(HERE, "parity.txt"), "w", encoding="utf-8") as f:
            f.write("# Made by parity.py from the reference: series, minute of the first suspect or leaking, of the first leaking.\n")
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
