#!/usr/bin/env python3
"""make check: runs every suite and ends with a line "N passed, N failed".

Suites: unit (cmocka programs), fuzz (seeds replayed), golden, sim, e2e (pytest), lint.  Names on the command line
choose some of them; all without.  A suite that cannot run at all counts as one failure and says why.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import time

import e2e as e2e_suite

SUITES = ["lint", "unit", "fuzz", "golden", "sim", "e2e"]


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.broken = []

    def add(self, name, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if failed:
            self.broken.append(name)


def run(command, env=None, timeout=1500):
    merged = dict(os.environ, **(env or {}))
    try:
        p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=merged, timeout=timeout)
        return p.returncode, p.stdout
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode("utf-8", "replace") + f"\nno end after {timeout} s"


def unit(args, tally):
    for path in sorted(glob.glob(f"{args.build}/tests/unit/test_*")):
        if "." in os.path.basename(path):
            continue
        code, out = run([path], env={"CMOCKA_MESSAGE_OUTPUT": "TAP"}, timeout=300)
        skip = len(re.findall(r"^(?:not )?ok \d+.*# SKIP", out, re.M))  # cmocka writes "not ok … # SKIP"
        ok = len(re.findall(r"^ok \d+(?!.*# SKIP)", out, re.M))
        bad = len(re.findall(r"^not ok \d+(?!.*# SKIP)", out, re.M))
        if code and not bad:
            bad = 1
        if ok + bad + skip == 0:
            bad, out = 1, out + "\nno test ran"
        tally.add(os.path.basename(path), ok, bad, skip)
        print(f"  unit    {os.path.basename(path)}: {ok} passed, {bad} failed" + (f", {skip} skipped" if skip else ""), flush=True)
        if bad:
            print(out[-6000:], flush=True)


def one(name, command, args, tally, counted=None, timeout=900):
    start = time.monotonic()
    code, out = run(command, timeout=timeout)
    m = counted and re.findall(counted, out, re.M)
    passed, failed = (int(m[-1][0]), int(m[-1][1])) if m else (int(code == 0), int(code != 0))
    if code and not failed:
        failed = 1
    tally.add(name, passed, failed)
    print(f"  {name:<7} {passed} passed, {failed} failed ({time.monotonic() - start:.0f} s)", flush=True)
    if failed or args.verbose:
        print(out[-12000:], flush=True)


def fuzz(args, tally):
    for path in sorted(glob.glob(f"{args.build}/tests/fuzz/fuzz_*")):
        name = os.path.basename(path)
        if "." in name:
            continue
        seeds = sorted(glob.glob(f"tests/fuzz/seeds/{name[5:]}/*") + (glob.glob("fixtures/dumps/*") if "gdump" in name else []))
        one("fuzz", [path] + seeds, args, tally)


def sim(args, tally):
    for path in sorted(glob.glob(f"{args.build}/tests/sim/sim_*")):
        if "." not in os.path.basename(path):
            one("sim", [path, "--check"], args, tally, r"(\d+) passed, (\d+) failed")


def golden(args, tally):
    one("golden", [args.python, "tests/golden/run.py", f"{args.build}/leakwatch"], args, tally, r"^(\d+) passed, (\d+) failed")


def lint(args, tally):
    one("lint", args.make.split() + ["--no-print-directory", "lint"], args, tally)


def e2e(args, tally):
    e2e_suite.run(args, tally)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--build", default="build")
    ap.add_argument("--python", default=sys.executable)
    ap.add_argument("--make", default="make")
    ap.add_argument("--verbose", action="store_true")
    ap.add_argument("suites", nargs="*")
    args = ap.parse_args()
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for name in args.suites:
        if name not in SUITES:
            ap.error(f"no suite {name}; there are {', '.join(SUITES)}")
    tally = Tally()
    for name in args.suites or SUITES:
        globals()[name](args, tally)
    if tally.broken:
        print("failed: " + ", ".join(tally.broken))
    print(f"{tally.passed} passed, {tally.failed} failed" + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
