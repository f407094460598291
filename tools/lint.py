#!/usr/bin/env python3
"""make lint: what a compiler does not see.

Layers (a file includes only lower ones, same-level only by the list below), homes of foreign headers,
headers that compile alone, formatting, file sizes, manual pages.  Prints each finding as file:line: text
and ends with a line that counts them; exit 1 when there are any.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

# ---- the layers of style.md: module name -> level ------------------------------------------------
LAYER0 = ["base", "err", "xalloc", "str", "lines", "buf", "arena", "map", "json"]
LAYER2 = ["config", "store"]  # and config_*, store_*
LAYER4 = ["pipeline", "app", "main", "cmd"]  # and cmd_*
# Same-level includes that are part of the design: (file's module, included module).  "*" = any module.
LIB_SAME = True  # L1 modules form the chain model -> ... -> report; cycles are checked instead
L3_SHARED = {"fetch", "clock", "log"}  # L3 modules that others of L3 may include
HOMES = {
    "yaml.h": ["lib/config"],
    "sqlite3.h": ["lib/store"],
    "curl/": ["daemon/fetch"],
    "event2/http.h": ["daemon/status", "daemon/cmd_replay", "daemon/replay"],
    "jansson.h": ["lib/json"],
    "uthash.h": ["lib/map"],
    "pcre2.h": ["lib/classify", "lib/relabel", "lib/silence"],
    "openssl/": ["lib/notify", "lib/relabel"],
    "zlib.h": ["daemon/cmd_backtest", "lib/exhibit", "lib/gdump", "lib/gunzip", "lib/inflate", "lib/recording"],
}
IN_LIB_FORBIDDEN = ["event2/", "curl/", "sys/socket.h", "syslog.h"]
C_MAX, H_MAX, COLUMNS = 600, 150, 100


def module_of(path):
    return os.path.splitext(os.path.basename(path))[0]


def level(path):
    module = module_of(path)
    head = module.split("_")[0]
    if path.startswith("lib/"):
        if module in LAYER0:
            return 0
        return 2 if head in LAYER2 else 1
    return 4 if head in LAYER4 else 3


def same_family(a, b):
    return a == b or a.startswith(b + "_") or b.startswith(a + "_") or a.split("_")[0] == b.split("_")[0]


def includes(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if m:
                yield number, m.group(1), m.group(2)


def find(name, files):
    for folder in ("lib/", "daemon/"):
        if folder + name in files:
            return folder + name
    return None


def check_layers(files, say):
    graph = {}
    for path in files:
        module, own = module_of(path), level(path)
        for number, kind, name in includes(path):
            if kind == "<":
                check_foreign(path, number, name, say)
                continue
            target = find(name, files)
            if not target:
                say(path, number, f'"{name}" is no header of this project')
                continue
            other, its = module_of(target), level(target)
            if its > own:
                say(path, number, f"level {own} includes {target} of level {its}")
            elif own == 3 and its == 3 and not same_family(module, other) and other not in L3_SHARED:
                say(path, number, f"{module} and {other} are both of level 3: they meet in pipeline and app")
            elif own == 2 and its == 2 and not same_family(module, other):
                say(path, number, f"{module} and {other} are both of level 2")
            if path.endswith(".h"):
                graph.setdefault(target, set())
                graph.setdefault(path, set()).add(target)
    check_cycles(graph, say)


def check_foreign(path, number, name, say):
    stem = os.path.splitext(path)[0]
    for header, homes in HOMES.items():
        if name.startswith(header) and not any(stem == h or stem.startswith(h + "_") for h in homes):
            say(path, number, f"<{name}> has its home in {', '.join(homes)}")
    if path.startswith("lib/") and any(name.startswith(f) for f in IN_LIB_FORBIDDEN):
        say(path, number, f"<{name}> does not belong in lib/ (no loop, no network)")


def check_cycles(graph, say):
    done, stack = set(), []

    def visit(node):
        if node in stack:
            say(node, 1, "headers include one another: " + " -> ".join(stack[stack.index(node):] + [node]))
            return
        if node in done:
            return
        stack.append(node)
        for n in sorted(graph.get(node, ())):
            visit(n)
        stack.pop()
        done.add(node)

    for n in sorted(graph):
        visit(n)


def check_text(path, say):
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    most = C_MAX if path.endswith(".c") else H_MAX
    if path.startswith(("lib/", "daemon/")) and len(lines) > most:
        say(path, len(lines), f"{len(lines)} lines, at most {most}: split by idea")
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs(8)) > COLUMNS:
            say(path, number, f"{len(line.expandtabs(8))} columns, at most {COLUMNS}")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            say(path, number, "left undone")
    guard = re.search(r"#ifndef LEAKWATCH_(\w+)_H\b", "\n".join(lines))
    if path.endswith(".h") and path.startswith(("lib/", "daemon/")):
        if not guard or guard.group(1).lower() != module_of(path):
            say(path, 1, f"guard should be LEAKWATCH_{module_of(path).upper()}_H")
        if not lines[0].startswith("/*"):
            say(path, 1, "a header begins with what the thing is")


def check_headers_alone(headers, cc, flags, say):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "alone.c")
        for path in headers:
            with open(source, "w", encoding="utf-8") as f:
                f.write(f'#include "{os.path.basename(path)}"\n#include "{os.path.basename(path)}"\n')
            run = subprocess.run(shlex.split(cc) + ["-fsyntax-only", "-Wno-empty-translation-unit"] + shlex.split(flags) + [source],
                                 capture_output=True, text=True)
            if run.returncode or run.stderr:
                say(path, 1, "does not compile alone: " + (run.stderr.strip().splitlines() or ["?"])[0])


def check_format(files, say):
    tool = shutil.which("clang-format") or shutil.which("clang-format-14")
    if not tool:
        print("lint: clang-format is missing (make deps): formatting not checked", file=sys.stderr)
        return
    run = subprocess.run([tool, "--dry-run", "--Werror"] + files, capture_output=True, text=True)
    seen = set()
    for line in run.stderr.splitlines():
        m = re.match(r"([^:]+):(\d+):\d+: (?:error|warning): (.*)", line)
        if m and m.group(1) not in seen:
            seen.add(m.group(1))
            say(m.group(1), int(m.group(2)), "not as clang-format writes it (make format)")
    if run.returncode and not seen:
        say(".clang-format", 1, run.stderr.strip()[:200])


def check_tour(sources, say):
    """The README's tour names each file of the program, and no file that is not there."""
    with open("README.md", encoding="utf-8") as f:
        tour = f.read().partition("## A tour of the source")[2]
    named = set(re.findall(r"`([a-z0-9_]+)`", tour)) - {"lib", "daemon"}
    there = {module_of(s) for s in sources}
    for name in sorted(there - named):
        if not name.endswith("_internal") and not name.startswith("cmd_"):
            say("README.md", 1, f"the tour of the source does not name {name}")
    for name in sorted(named - there):
        say("README.md", 1, f"the tour of the source names {name}, which is not there")


def check_man(say):
    pages = sorted(os.path.join("man", f) for f in (os.listdir("man") if os.path.isdir("man") else []) if re.search(r"\.[157]$", f))
    if not pages:
        return
    if not shutil.which("mandoc"):
        print("lint: mandoc is missing (make deps): manual pages not checked", file=sys.stderr)
        return
    run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"] + pages, capture_output=True, text=True)
    for line in (run.stdout + run.stderr).splitlines():
        if "WARNING" in line or "ERROR" in line or "UNSUPP" in line:
            say("man", 1, line)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--cc", default="cc")
    ap.add_argument("--flags", default="")
    args = ap.parse_args()
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    findings = []

    def say(path, number, text):
        findings.append((path, number, text))

    sources = sorted(f"{d}/{f}" for d in ("lib", "daemon") for f in os.listdir(d) if f.endswith((".c", ".h")))
    tests = sorted(os.path.join(d, f) for d, _, names in os.walk("tests") for f in names if f.endswith((".c", ".h")))
    check_layers(sources, say)
    for path in sources + tests:
        check_text(path, say)
    check_headers_alone([s for s in sources if s.endswith(".h")], args.cc, args.flags, say)
    check_format(sources + tests, say)
    check_man(say)
    check_tour(sources, say)
    for path, number, text in findings:
        print(f"{path}:{number}: {text}")
    print(f"lint: {len(sources) + len(tests)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
