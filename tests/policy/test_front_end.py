"""What the page promises about JupyterLab's versions, its keys and the documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jupyter_gpuperf.metrics import METRICS

ROOT = Path(__file__).parents[2]
FRONT_END = ROOT / "labextension"
SCHEMA = json.loads((FRONT_END / "schema" / "plugin.json").read_text())


def test_jupyterlab_s_packages_are_taken_in_every_version_that_we_depend_on():
    """The builder would ask for those of its own version, and an older JupyterLab would warn of each."""
    package = json.loads((FRONT_END / "package.json").read_text())
    shared = package["jupyterlab"]["sharedPackages"]
    for name, versions in package["dependencies"].items():
        if name.startswith("@jupyterlab/"):
            assert shared[name] == {"requiredVersion": versions}, name


def test_the_keys_that_the_panel_names_are_those_of_the_schema():
    keys = {each["command"]: each["keys"] for each in SCHEMA["jupyter.lab.shortcuts"]}
    tokens = (FRONT_END / "src" / "tokens.ts").read_text()
    named = re.search(r"SHORTCUT = '(.+)'", tokens)
    assert named is not None
    assert keys["gpuperf:open-panel"] == [named[1].replace("+", " ")]


def test_every_help_icon_has_a_page():
    docs = ROOT / "docs"
    pages = set()
    for file in (FRONT_END / "src").rglob("*.tsx"):
        pages.update(re.findall(r'\bhelp="([^"]+)"', file.read_text()))
    assert len(pages) >= 5
    assert [page for page in pages if not (docs / f"{page}.md").exists()] == []


def test_the_settings_name_metrics_that_exist():
    thresholds = SCHEMA["properties"]["statusBarThresholds"]["properties"]
    names = {*thresholds, *SCHEMA["properties"]["statusBarMetrics"]["default"]}
    assert names <= {metric.name for metric in METRICS}
