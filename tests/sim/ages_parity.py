#!/usr/bin/env python3
"""Holds ages against the Python reference of its method.  By hand; needs numpy.

  ages_parity.py --reference DIR [--sim FILE] [--count N] [--write]

DIR holds ages.py.  N dumps of sim_ages go through the reference; with --write its answers become tests/sim/ages.txt,
which `make check` compares with what ages says.
"""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def read(sim, number):
    lines = subprocess.run([sim, "--dump", str(number)], capture_output=True, text=True, check=True).stdout.splitlines()
    uptime, gap = map(float, lines[0].split())
    dumps = [[], []]
    at = 0
    for line in lines[1:]:
        if line == "-":
            at += 1
            continue
        minutes, count = map(int, line.split())
        dumps[at] += [minutes] * count
    return uptime, gap, dumps


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--reference", default="../shared/reference")
    ap.add_argument("--sim", default="build/tests/sim/sim_ages")
    ap.add_argument("--count", type=int, default=300)
    ap.add_argument("--write", action="store_true")
    args = ap.parse_args()
    sys.dont_write_bytecode = True
    sys.path.insert(0, args.reference)
    import ages
    lines = []
    for number in range(args.count):
        uptime, gap, (first, second) = read(args.sim, number)
        verdict, rate, low, high, _, _ = ages.one_dump(first, uptime)
        stays, _ = ages.two_dumps(first, second, gap)
        lines.append(f"{number} {verdict} {rate * 60:.9g} {low * 60:.9g} {high * 60:.9g} {stays:.9g}")
    print("\n".join(lines[:10]))
    if args.write:
        with open(os.path.join(HERE, "ages.txt"), "w", encoding="utf-8") as f:
            f.write("# Made by ages_parity.py from the reference: dump, verdict, rate an hour, its interval, share that stays.\n")
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
