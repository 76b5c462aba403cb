"""Follow CONTRIBUTING's table in a copy: each new thing is added as the table says, and the checks pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRONT_END = Path("labextension")

METRIC = """\
METRICS = (
    _metric(
        "memory_example_bytes",
        "Example memory",
        "Device memory of an example.",
        lambda nvml: _memory(nvml).free,
        maximum_metric="memory_total_bytes",
    ),
"""
ALERT = """\
    alert("example_alert", _disk, scope="host", needs=DISK_METRICS, holds_off=FIVE_SECONDS),
)
"""
DIAGNOSIS = '''\
"""An example of a finding."""

from __future__ import annotations

from jupyter_gpuperf.rules.rule import Finding, Rule, View
from jupyter_gpuperf.rules.threshold import Threshold

IDLE_RATIO = Threshold(2.0, reason="More than all: it is never found.", margin="1.")


def _check(view: View) -> Finding | None:
    if view.work.idle_ratio < IDLE_RATIO:
        return None
    return Finding(
        severity="info",
        summary=f"An example at {view.work.idle_ratio:.0%}.",
        advice="An example's advice.",
        evidence={"idle_ratio": view.work.idle_ratio},
        refuted_by="An example's refutation.",
    )


RULE = Rule(code="example-finding", title="Example", meaning="An example.", check=_check)
'''
BENCHMARK = '''\
"""How long nothing takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.measure.statistics import median_interval


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    clock = time.perf_counter
    samples = [clock() - began for began in (clock() for _ in range(parameters["repetitions"]))]
    return Measured(
        unit="seconds",
        figures={"nothing_seconds": median_interval(samples)},
        samples={"nothing_seconds": samples},
        environment={},
    )


BENCHMARK = Benchmark(
    name="example",
    label="Example",
    help="How long nothing takes.",
    requires=(),
    parameters=(Parameter.integer("repetitions", 100, (10, 1000), "How often it is done."),),
    run=run,
)
'''
BENCHMARK_NOTES = """\
# Example

    %gpubench example --repetitions 50

## What to expect

Nothing.

## What to do

Nothing.
"""
CHECK = """

@check(
    label="Example",
    why="An example of a check.",
    expected="Nothing.",
    link=f"{KERNEL_DOCS}/sysctl/vm.html",
)
def _example(machine: Machine) -> Outcome:
    return fine("An example was found.")
"""
SOURCE = '''\
"""An example of a source: no device."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.sources.absent import DISABLED_REASON, AbsentDriver
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.protocol import Scheme

SCHEME: Final = Scheme(
    name="example",
    form="example",
    make=lambda _, metrics: LocalSource(AbsentDriver(DISABLED_REASON), metrics),
)
'''
ROUTE = '''

class ExampleHandler(GpuPerfHandler):
    """``GET example``: an example of a route."""

    @operation(Version)
    def get(self) -> Version:
        """An example of a route."""
        return self.services.sampler.version
'''
SEEN = """\
import json, sys
sys.path.append("docs")
from benchmark_pages import benchmark_page
from jupyter_gpuperf.benchmarks import find
from jupyter_gpuperf.benchmarks.running import run_request
from jupyter_gpuperf.checks import CHECKS
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.routes import ROUTES
from jupyter_gpuperf.rules import RULES
from jupyter_gpuperf.sources import source_from

said = []
run_request({"benchmark": "example", "parameters": {"repetitions": 20}}, said.append)
page = benchmark_page(find("example"))
row = "| `--repetitions` | integer | `100` | 10 to 1000 | How often it is done. |"
print(json.dumps({
    "metric": "memory_example_bytes" in [each.name for each in METRICS],
    "rules": [each.code for each in RULES if "example" in each.code],
    "benchmark": said[-1]["result"]["figures"]["nothing_seconds"]["value"] >= 0,
    "page": all(text in page for text in ("# Example\\n\\nHow long nothing takes.", row, "## What to do")),
    "check": "example" in [each.name for each in CHECKS],
    "source": source_from("example", METRICS) is not None,
    "route": "example" in dict(ROUTES),
}))
"""


class Copy:
    """A copy of the project in which additions are tried."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / FRONT_END / "node_modules").symlink_to(ROOT / FRONT_END / "node_modules")

    def write(self, name: str, text: str) -> None:
        """Write a new file."""
        assert not (self.folder / name).exists()
        (self.folder / name).write_text(text)

    def put(self, name: str, old: str, new: str) -> None:
        """Replace a text that occurs once."""
        text = (self.folder / name).read_text()
        assert text.count(old) == 1, (name, old, text.count(old))
        (self.folder / name).write_text(text.replace(old, new))

    def append(self, name: str, text: str) -> None:
        """Add to the end of a file."""
        with (self.folder / name).open("a") as file:
            file.write(text)

    def run(self, *command: str) -> str:
        """Run a command in the copy; if it fails, fail with its output."""
        python = (
            [sys.executable] if command[0].endswith(".py") or command[0] in ("-c", "-m") else []
        )
        done = subprocess.run(
            [*python, *command], cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


def translate(copy: Copy) -> None:
    """Translate every string that lacks a translation, as a translator would."""
    listed = subprocess.run(
        [sys.executable, "scripts/extract_strings.py"], cwd=copy.folder, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(copy.folder)},
    )  # fmt: skip
    path = copy.folder / "jupyter_gpuperf/locale/zh_CN/LC_MESSAGES/jupyter_gpuperf.po"
    text = path.read_text()
    done = re.sub(
        r'^(msgid "([^"]+)"\nmsgstr )""$',
        lambda found: f'{found[1]}"例：{found[2]}"',
        text,
        flags=re.MULTILINE,
    )
    assert done != text, listed.stderr[-3000:]
    path.write_text(done)
    copy.run("scripts/extract_strings.py")


def test_what_is_added_as_the_table_says_is_there_and_the_checks_pass(tmp_path):
    if not (ROOT / FRONT_END / "node_modules").is_dir():
        pytest.skip("needs the front end's packages: bash scripts/setup")
    copy = Copy(tmp_path)
    package = "jupyter_gpuperf"
    # A metric: an entry in its family's file.
    copy.put(f"{package}/metrics/memory.py", "METRICS = (\n", METRIC)
    # An alert: a rule in its subject's file, which has a tuple of them in rules/__init__.py.
    copy.put(
        f"{package}/rules/host_storage.py",
        "holds_off=FIVE_SECONDS),\n)\n",
        f"holds_off=FIVE_SECONDS),\n{ALERT}",
    )
    # A diagnosis: a file with a RULE, an entry in the tuple, and a row and an entry in the docs' index.
    copy.write(f"{package}/rules/example_finding.py", DIAGNOSIS)
    copy.put(
        f"{package}/rules/__init__.py",
        "    device_health,\n",
        "    device_health,\n    example_finding,\n",
    )
    copy.put(
        f"{package}/rules/__init__.py",
        "    idle_memory_holder.RULE,\n",
        "    idle_memory_holder.RULE,\n    example_finding.RULE,\n",
    )
    index = "docs/findings/index.md"
    copy.put(index, "| `cpu-quota` |", "| `example-finding` | an example |\n| `cpu-quota` |")
    copy.put(
        index,
        "../reference/findings/cpu-quota\n",
        "../reference/findings/cpu-quota\n../reference/findings/example-finding\n",
    )
    # A benchmark: a file with a BENCHMARK, its import, an entry in the tuple, and its notes; the page is generated.
    copy.write(f"{package}/benchmarks/example.py", BENCHMARK)
    copy.put(
        f"{package}/benchmarks/__init__.py",
        "    dataloader,\n    imread,\n",
        "    dataloader,\n    example,\n    imread,\n",
    )
    copy.put(
        f"{package}/benchmarks/__init__.py", "pandas, startup),\n", "pandas, startup, example),\n"
    )
    copy.write("docs/benchmarks/example.md", BENCHMARK_NOTES)
    copy.put(
        "docs/benchmarks/index.md",
        "| [startup](startup.md) |",
        "| [example](example.md) | nothing |\n| [startup](startup.md) |",
    )
    page = "\n../reference/benchmarks/{}\n"
    startup = page.format("startup")
    copy.put("docs/benchmarks/index.md", startup, startup + page.format("example").lstrip())
    # A check of the environment: a function under @check in its subject's file.
    copy.append(f"{package}/checks/host.py", CHECK)
    # A source: a file with a Scheme, and an entry in SCHEMES.
    copy.write(f"{package}/sources/example.py", SOURCE)
    copy.put(
        f"{package}/sources/__init__.py",
        "import absent, auto, nvml, replay",
        "import absent, auto, example, nvml, replay",
    )
    copy.put(
        f"{package}/sources/__init__.py",
        "absent.SCHEME, replay.SCHEME)",
        "absent.SCHEME, replay.SCHEME, example.SCHEME)",
    )
    # A route: a handler with @operation, a line in ROUTES, and the renewed REST page.
    copy.append(f"{package}/routes/readings.py", ROUTE)
    copy.put(
        f"{package}/routes/__init__.py",
        '    ("version", readings.VersionHandler),\n',
        '    ("version", readings.VersionHandler),\n    ("example", readings.ExampleHandler),\n',
    )
    copy.run("docs/rest_page.py")
    copy.run("scripts/generate_types.py")
    translate(copy)

    assert json.loads(copy.run("-c", SEEN)) == {
        "metric": True, "rules": ["example_alert", "example-finding"], "benchmark": True,
        "page": True, "check": True, "source": True, "route": True,
    }  # fmt: skip
    copy.run("git", "init", "--quiet")
    copy.run("git", "add", "--all")
    copy.run("ruff", "format", "--no-cache", package)
    copy.run("ruff", "check", "--no-cache", package)
    copy.run("lint-imports", "--no-cache")
    copy.run("scripts/extract_strings.py", "--check")
    checks = (
        "test_sources",
        "test_rest_page",
        "test_imports",
        "test_import_circles",
        "test_printed_lines",
    )
    copy.run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider",
        *(f"tests/policy/{each}.py" for each in checks), "tests/test_plugins.py", "tests/metrics",
    )  # fmt: skip
