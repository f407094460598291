"""The end-to-end tests, for tools/check.py: files of tests/e2e, a few at a time, each in a pytest of its own.

They mostly wait, so two at a time halve the time.  What fails there is tried once more, alone, since their clocks are the
real one and a loaded machine can outrun it; what passes then counts as passed and is named, so that it is seen.
"""
import glob
import os
import queue
import subprocess
import threading
import time
import xml.etree.ElementTree as ET

AT_A_TIME = 2


class Result:
    def __init__(self):
        self.passed = self.skipped = 0
        self.failed = []  # node ids
        self.said = ""


def pytest(python, build, names, label, env):
    """Runs pytest over the names and reads what it counted."""
    folder = os.path.join(build, "e2e")
    os.makedirs(folder, exist_ok=True)
    report = os.path.join(folder, label + ".xml")
    if os.path.exists(report):
        os.unlink(report)
    p = subprocess.run([python, "-m", "pytest", "-p", "no:cacheprovider", "-ra", "--durations=3", f"--junitxml={report}", *names],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=env)
    r = Result()
    r.said = p.stdout
    try:
        cases = ET.parse(report).getroot().iter("testcase")
    except (OSError, ET.ParseError):
        cases = []
    for case in cases:
        where = case.get("classname", "").replace(".", "/") + ".py::" + case.get("name", "")
        if case.find("failure") is not None or case.find("error") is not None:
            if where not in r.failed:  # a failure and an error of what stops after it are one
                r.failed.append(where)
        elif case.find("skipped") is not None:
            r.skipped += 1
        else:
            r.passed += 1
    if p.returncode not in (0, 5) and not r.failed:
        r.failed.append(names[0])  # it did not get as far as a test
    return r


def again(args, env, failed):
    """The node ids that fail alone, too."""
    still = []
    for where in failed:
        r = pytest(args.python, args.build, [where], "again", env)
        if r.failed or not r.passed:
            still.append(where)
            print(r.said[-12000:], flush=True)
        else:
            print(f"  e2e     failed beside others and passed alone: {where}", flush=True)
    return still


def run(args, tally):
    env = dict(os.environ, LEAKWATCH=os.path.abspath(f"{args.build}/leakwatch"), LEAKWATCH_BUILD=os.path.abspath(args.build),
               PYTHONDONTWRITEBYTECODE="1")
    waiting, results, lock = queue.Queue(), {}, threading.Lock()
    # The longest first would be best; the largest is near it.
    for path in sorted(glob.glob("tests/e2e/test_*.py"), key=os.path.getsize, reverse=True):
        waiting.put(path)

    def work():
        while True:
            try:
                path = waiting.get_nowait()
            except queue.Empty:
                return
            start = time.monotonic()
            label = os.path.basename(path)[:-3]
            r = pytest(args.python, args.build, [path], label, env)
            with lock:
                results[path] = r
                print(f"  e2e     {label}: {r.passed} passed, {len(r.failed)} failed" + (f", {r.skipped} skipped" if r.skipped else "")
                      + f" ({time.monotonic() - start:.0f} s)", flush=True)
                if r.failed or r.skipped:
                    lines = r.said.splitlines()
                    print("\n".join("    " + line for line in (lines[-80:] if r.failed else [l for l in lines if l.startswith("SKIPPED")])), flush=True)

    threads = [threading.Thread(target=work) for _ in range(AT_A_TIME)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    failed = [where for r in results.values() for where in r.failed]
    still = again(args, env, failed) if len(failed) <= 8 else failed
    passed = sum(r.passed for r in results.values()) + len(failed) - len(still)
    if still:
        print("  e2e     failed: " + ", ".join(still), flush=True)
    if passed + len(still) == 0:
        still = ["no test ran"]
    tally.add("e2e", passed, len(still), sum(r.skipped for r in results.values()))
