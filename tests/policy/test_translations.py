"""Every string has its translations."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import jupyter_gpuperf

ROOT = Path(__file__).parents[2]


def test_every_string_is_translated_and_what_is_generated_is_up_to_date():
    parser = ROOT / "labextension" / "node_modules" / "typescript"
    if shutil.which("node") is None or not parser.exists():
        pytest.skip("needs Node and the front end's packages: bash scripts/setup")
    script = ROOT / "scripts" / "extract_strings.py"
    command = [sys.executable, str(script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_server_of_jupyterlab_finds_the_translations():
    (point,) = [each for each in entry_points(group="jupyterlab.locale") if "gpuperf" in each.name]
    assert point.load() is jupyter_gpuperf
    folder = Path(jupyter_gpuperf.__file__).parent / "locale" / "zh_CN" / "LC_MESSAGES"
    messages = json.loads((folder / f"{point.name}.json").read_text())
    assert messages["Devices"] == ["设备"]
    assert messages[""]["language"] == "zh-CN"
