#!/usr/bin/env python3
"""make golden, and the golden suite of make check: `leakwatch report --format json` of every file in fixtures/dumps
against fixtures/golden/NAME.json.  --rewrite writes what the program says; read the difference before it is committed.
"""
import argparse
import difflib
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DUMPS, GOLDEN = os.path.join(ROOT, "fixtures", "dumps"), os.path.join(ROOT, "fixtures", "golden")


def report(binary, path):
    """The report as indented text, so that differences are a few lines, or why there is none."""
    run = subprocess.run([binary, "report", "--format", "json", path], capture_output=True, timeout=60)
    if run.returncode != 0:
        return None, f"exit status {run.returncode}: {run.stderr.decode('utf-8', 'replace').strip()}"
    try:
        return json.dumps(json.loads(run.stdout), indent=1, ensure_ascii=False) + "\n", None
    except ValueError as e:
        return None, f"not JSON: {e}"


def check_sums(text):
    """What must hold of every report, so that --rewrite cannot bless nonsense."""
    r = json.loads(text)
    wrong = []
    if sum(c["count"] for c in r["classes"]) != r["parsed"]:
        wrong.append("the classes' counts are not what was parsed")
    if r["total"] != r["parsed"] + r["lost"]:
        wrong.append("total is not parsed + lost")
    if r["format"] in ("debug2", "crash") and sum(s["count"] for s in r["states"]) != r["parsed"]:
        wrong.append("the states' counts are not what was parsed")
    for name in ("states", "classes", "entries", "created_by", "stuck"):
        counts = [row["count"] for row in r[name]]
        if counts != sorted(counts, reverse=True):
            wrong.append(f"{name} are not sorted by count")
    return wrong


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rewrite", action="store_true")
    ap.add_argument("binary")
    args = ap.parse_args()
    passed = failed = 0
    names = sorted(os.listdir(DUMPS))
    for name in names:
        golden = os.path.join(GOLDEN, os.path.splitext(name)[0] + ".json")
        text, why = report(os.path.abspath(args.binary), os.path.join(DUMPS, name))
        wrong = [why] if why else check_sums(text)
        if not wrong and args.rewrite:
            with open(golden, "w", encoding="utf-8") as f:
                f.write(text)
        elif not wrong:
            want = ""
            if os.path.exists(golden):
                with open(golden, encoding="utf-8") as f:
                    want = f.read()
            diff = difflib.unified_diff(want.splitlines(), text.splitlines(), os.path.relpath(golden, ROOT), "now", lineterm="")
            wrong = list(diff)[:60]
        print("\n".join([f"{name}: " + ("FAILED" if wrong else "ok")] + wrong))
        passed, failed = passed + (not wrong), failed + bool(wrong)
    stray = {os.path.splitext(n)[0] for n in os.listdir(GOLDEN)} - {os.path.splitext(n)[0] for n in names}
    for name in sorted(stray):
        print(f"fixtures/golden/{name}.json: FAILED\nhas no dump")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
