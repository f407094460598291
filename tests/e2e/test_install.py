"""What make install puts in place: the samples are right, the unit is shut in, the shells complete."""
import glob
import os
import re
import shutil
import subprocess

import pytest
from conftest import ROOT
from harness import LEAKWATCH, command


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    to = tmp_path_factory.mktemp("installed")
    subprocess.run(["make", "-s", "install", f"DESTDIR={to}", "PREFIX=/usr"], cwd=ROOT, check=True, capture_output=True, timeout=300)
    return str(to)


def test_samples_are_right(installed):
    samples = glob.glob(f"{installed}/usr/share/leakwatch/samples/*.yaml")
    assert len(samples) == len(glob.glob(os.path.join(ROOT, "etc/samples/*.yaml"))) >= 3
    for path in samples:
        assert command("check-config", "-c", path).endswith("configuration OK\n")


def test_the_unit_is_shut_in(installed):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this system")
    p = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"{installed}/usr/lib/systemd/system/leakwatch.service"],
                       capture_output=True, text=True, timeout=30)
    score = re.search(r"exposure level for leakwatch.service: ([\d.]+)", p.stdout)
    assert score, p.stdout + p.stderr
    assert float(score[1]) <= 1.5


def help_of(*command_words):
    return subprocess.run([LEAKWATCH, *command_words, "--help"], capture_output=True, text=True, timeout=30).stdout


def commands():
    found = re.findall(r"^  ([a-z-]+) ", help_of().split("Commands", 1)[1].split("Options", 1)[0], re.M)
    assert len(found) > 10, found
    return found


def shells(installed, folder):
    """By shell, how to ask what would complete a line."""
    bash = (f". {installed}/usr/share/bash-completion/completions/leakwatch; read -ra COMP_WORDS <<<'LINE'; [[ 'LINE' == *' ' ]] && COMP_WORDS+=(''); "
            "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _leakwatch leakwatch; printf '%s\\n' \"${COMPREPLY[@]}\"")
    yield "bash", ["bash", "-c", bash]
    yield "fish", ["fish", "--no-config", "-c", f"source {installed}/usr/share/fish/vendor_completions.d/leakwatch.fish; complete -C 'LINE'"]
    # zsh completes only at a prompt: the words are set as it would, and what is offered is printed.
    zsh = ("_call_program() { shift; eval \"$@\" }; _describe() { print -rl -- ${${(@P)2}%%:*} }; compadd() { print -rl -- ${(@P)2} }; _files() { : }; "
           "words=(LINE); [[ 'LINE' == *' ' ]] && words+=(''); CURRENT=$#words; PREFIX=$words[CURRENT]; "
           f"source {installed}/usr/share/zsh/site-functions/_leakwatch")
    yield "zsh", ["zsh", "-f", "-c", f"complete_it() {{ {zsh} }}; complete_it"]


def test_completion_names_everything(installed, tmp_path):
    os.symlink(os.path.abspath(LEAKWATCH), tmp_path / "leakwatch")
    env = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}")
    for shell, ask in shells(installed, tmp_path):
        if not shutil.which(shell):
            continue  # bash is always there

        def complete(line, ask=ask):
            p = subprocess.run([a.replace("LINE", line) for a in ask], capture_output=True, text=True, timeout=60, env=env)
            return {word.split("\t")[0] for word in p.stdout.splitlines()}

        assert set(commands()) <= complete("leakwatch "), shell
        for name in commands():
            options = set(re.findall(r"--[a-z][a-z-]*", help_of(name)))
            assert options <= complete(f"leakwatch {name} -"), (shell, name)
        assert {"text", "markdown", "json"} <= complete("leakwatch report --format "), shell


def test_completion(installed, tmp_path):
    ask = (f"PATH={tmp_path}:$PATH; . {installed}/usr/share/bash-completion/completions/leakwatch; "
           "COMP_WORDS=(leakwatch {}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _leakwatch leakwatch; echo ${{COMPREPLY[@]}}")
    os.symlink(os.path.abspath(LEAKWATCH), tmp_path / "leakwatch")

    def complete(words):
        return subprocess.run(["bash", "-c", ask.replace("{}", words).replace("{{", "{").replace("}}", "}")], capture_output=True,
                              text=True, timeout=30).stdout.split()

    assert {"check-config", "classes", "classify"} <= set(complete("c"))
    assert complete("che") == ["check-config"]
    assert "--format" in complete("report --") and complete("report --format j") == ["json"]


def test_uninstall_leaves_the_configuration(installed):
    subprocess.run(["make", "-s", "uninstall", f"DESTDIR={installed}", "PREFIX=/usr"], cwd=ROOT, check=True, capture_output=True, timeout=60)
    left = [os.path.relpath(os.path.join(at, f), installed) for at, _, files in os.walk(installed) for f in files]
    assert left == ["etc/leakwatch/leakwatch.yaml"]
