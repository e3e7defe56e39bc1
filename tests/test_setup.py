"""Setting up: all is pinned, a clear word where something is missing, addresses can be set."""

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from dj_core.product import VERSION

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)$")
FILES = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-scale.txt",
    "requirements-link.txt",
)
BASIC_TOOLS = ["bash", "sh", "env", "id", "uname", "grep", "dirname", "cat", "cksum"]


def requirement_lines(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name):
    lines = [line for line in requirement_lines(name) if not line.startswith("-r ")]
    matches = {line: PIN.match(line) for line in lines}
    assert all(matches.values()), [line for line, match in matches.items() if not match]
    return {canonical(match[1]): match[2] for match in matches.values()}


# -- packages ------------------------------------------------------------------------------------


def test_every_python_package_is_pinned_once():
    run, dev, scale, link = (pins(name) for name in FILES)
    assert run["torch"] == "2.13.0"
    assert len(run | dev | scale | link) == sum(map(len, (run, dev, scale, link)))
    others = [FILES[0], *FILES[2:]]
    assert requirement_lines("requirements-dev.txt")[:3] == [f"-r {name}" for name in others]
    for name in FILES[2:]:
        assert requirement_lines(name)[0] == "-r requirements.txt"


def test_what_is_installed_is_what_is_pinned():
    pinned = {name: version for file in FILES for name, version in pins(file).items()}
    installed = {
        name: importlib.metadata.version(name).split("+")[0]  # torch 2.13.0+cpu is torch 2.13.0
        for name in pinned
    }
    assert installed == pinned


@pytest.mark.parametrize("file", FILES)
def test_nothing_that_a_package_needs_goes_unpinned(file):
    from packaging.requirements import Requirement

    run = pins("requirements.txt")
    if file == "requirements-dev.txt":
        run |= pins("requirements-scale.txt") | pins("requirements-link.txt")
    names = run if file == "requirements.txt" else pins(file)
    needed = {
        requirement
        for name in names
        for requirement in map(Requirement, importlib.metadata.requires(name) or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    loose = {
        str(requirement)
        for requirement in needed
        if canonical(requirement.name) not in run | names
        and not str(requirement.specifier).startswith("==")  # torch pins NVIDIA's itself
    }
    assert not loose


def test_what_our_code_imports_is_pinned_for_running():
    imported = set()
    for path in [*ROOT.glob("*.py"), *(ROOT / "dj_core").rglob("*.py"),
                 *(ROOT / "dj_ui").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:  # fmt: skip
        text = path.read_text("utf-8")
        imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    provided = importlib.metadata.packages_distributions()
    packages = {canonical(provided[name][0]) for name in imported & set(provided)}
    # Dask is asked for only by whoever names a scheduler
    assert packages - set(pins("requirements.txt")) - {"distributed"} == set()


def test_no_package_source_but_the_public_ones_is_named():
    for name in FILES:
        assert not [line for line in requirement_lines(name) if "://" in line or "index" in line]


def test_the_system_packages_are_listed():
    assert (ROOT / "packages.txt").read_text("utf-8").split() == ["libfluidsynth3"]


def test_the_readme_names_both_commands():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert "make run" in lines
    assert "make test" in lines
    assert "TORCH=cpu" in "".join(lines)


# -- system packages -----------------------------------------------------------------------------


class Machine:
    """A PATH with a few real tools, to which stand-ins for a system's own can be added."""

    def __init__(self, folder):
        self.tools = folder / "bin"
        self.calls = folder / "calls"
        self.home = folder / "home"
        for made in (self.tools, self.home):
            made.mkdir()
        for tool in BASIC_TOOLS:
            (self.tools / tool).symlink_to(shutil.which(tool))

    def add(self, name, script):
        path = self.tools / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!{shutil.which("sh")}\necho "{name} $*" >>"{self.calls}"\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, script, *arguments, **environment):
        return subprocess.run(
            [shutil.which("bash"), ROOT / "scripts" / script, *arguments],
            env={"PATH": str(self.tools), "HOME": str(self.home), **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def called(self, name):
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.split()[0] == name]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def assert_one_sentence(outcome):
    assert outcome.returncode == 0, outcome.stderr
    (line,) = outcome.stdout.splitlines()
    assert line.endswith(".")
    assert len(re.findall(r"[.!?](?:\s|$)", line)) == 1
    assert outcome.stderr == ""
    return line


def test_without_a_package_manager_one_sentence_says_what_is_missing(machine):
    outcome = machine.run("system-packages.sh")
    assert "libfluidsynth3" in assert_one_sentence(outcome)


def test_without_the_right_to_install_one_sentence_names_the_command(machine):
    machine.add("id", "echo 1000")
    machine.add("sudo", "exit 1")  # a password would be asked for
    machine.add("apt-get", "exit 0")
    line = assert_one_sentence(machine.run("system-packages.sh"))
    assert "`sudo apt-get install libfluidsynth3`" in line
    assert not machine.called("apt-get")


def test_root_on_a_fresh_debian_gets_lists_first_and_then_the_package(machine):
    machine.add("id", "echo 0")
    lists = machine.home / "lists"
    machine.add(
        "apt-get", f'case "$*" in update*) : >"{lists}" ;; *) [ -e "{lists}" ] || exit 100 ;; esac'
    )
    outcome = machine.run("system-packages.sh")
    assert (outcome.returncode, outcome.stdout) == (0, "")
    verbs = [line.split()[1] for line in machine.called("apt-get")]
    assert verbs == ["install", "update", "install"]
    assert machine.called("apt-get")[-1].endswith("libfluidsynth3")


def test_when_installing_fails_the_command_is_named_and_the_rest_goes_on(machine):
    machine.add("id", "echo 0")
    machine.add("apt-get", "exit 100")
    assert "libfluidsynth3" in assert_one_sentence(machine.run("system-packages.sh"))


def test_macos_uses_homebrew_and_its_name_for_the_package(machine):
    machine.add("uname", "echo Darwin")
    machine.add("brew", 'case "$1" in list) exit 1 ;; esac')
    outcome = machine.run("system-packages.sh")
    assert (outcome.returncode, outcome.stdout) == (0, "")
    assert machine.called("brew")[-1] == "brew install fluid-synth"


def test_what_is_installed_is_left_alone(machine):
    machine.add("dpkg-query", "echo 'install ok installed'")
    machine.add("apt-get", "exit 1")
    outcome = machine.run("system-packages.sh")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert not machine.called("apt-get")


# -- the browser ---------------------------------------------------------------------------------


def test_a_browser_can_be_named_and_one_that_does_not_start_is_passed_over(tmp_path, monkeypatch):
    from browser import find_browser

    for name, script in (("good", "echo Chromium 1"), ("bad", "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("CHROME", str(tmp_path / "good"))
    assert find_browser() == tmp_path / "good"
    monkeypatch.setenv("CHROME", str(tmp_path / "bad"))
    assert find_browser() not in (None, tmp_path / "bad")


# -- make ----------------------------------------------------------------------------------------


def dry_run(*arguments, **environment):
    inherited = {name: text for name, text in os.environ.items() if name not in ("HOST", "PORT")}
    for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL"):
        inherited.pop(name, None)  # `make test PORT=…` must not reach into this test
    return subprocess.run(
        ["make", "-n", *arguments],
        cwd=ROOT, env={**inherited, **environment}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_the_app_is_served_on_this_machine_only_by_default():
    assert "--server.address 127.0.0.1 --server.port 8501" in dry_run("run")


def test_port_and_host_can_be_set():
    wanted = "--server.address 0.0.0.0 --server.port 9000"
    assert wanted in dry_run("run", "PORT=9000", "HOST=0.0.0.0")
    assert wanted in dry_run("run", PORT="9000", HOST="0.0.0.0")


@pytest.mark.parametrize("target", ["run", "test", "check"])
def test_everything_sets_up_first(target):
    assert "scripts/setup.sh" in dry_run(target).splitlines()[0]


def test_an_old_python_is_refused_with_a_sentence(machine, tmp_path):
    """In a copy of the scripts, so that this environment is left alone."""
    shutil.copytree(ROOT / "scripts", tmp_path / "copy" / "scripts")
    for name in ("packages.txt", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / "copy" / name)
    machine.add("dpkg-query", "echo 'install ok installed'")
    machine.add("python3", 'case "$1" in --version) echo Python 3.9.2 ;; *) exit 1 ;; esac')
    outcome = subprocess.run(
        [shutil.which("bash"), tmp_path / "copy" / "scripts" / "setup.sh"],
        env={"PATH": str(machine.tools), "HOME": str(machine.home)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 1
    assert "needs Python 3.11 or newer, but found only Python 3.9.2" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_the_package_has_the_pins_and_the_version_of_the_rest():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    packaged = dict(PIN.match(line).groups() for group in groups for line in group)
    used = {}
    for name in ("requirements.txt", "requirements-scale.txt", "requirements-link.txt"):
        own = (ROOT / name).read_text("utf-8").partition("# needed by")[0]
        used |= dict(PIN.match(line).groups() for line in own.splitlines() if PIN.match(line))
    assert used == packaged
    assert project["version"] == VERSION
