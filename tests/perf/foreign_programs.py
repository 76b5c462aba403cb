"""Run programs that were not written for this under ``jupyter gpuperf run``, and compare what it finds with what is wrong.

python tests/perf/foreign_programs.py FOLDER [--only "NAME;NAME"] [--seconds 30] [--out FILE]

FOLDER has ``programs.json``: a list of ``{"name", "cwd", "command", "expected", "any", "words"}``. ``command`` is what follows
``jupyter gpuperf run``; ``expected`` are the codes of the findings that the program must have, with ``any`` at least one of
them; an empty list is a healthy program. ``words`` must be in a summary. ``planted`` beside this file is such a folder. A program is right if these were found and no other finding above a note. After
``--seconds``, a program is interrupted as by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

PATIENCE_SECONDS: Final = 20


def run(folder: Path, program: dict[str, Any], seconds: float, saved: Path) -> str:
    """Run a program for some seconds; return the last lines of its output."""
    start = [sys.executable, "-m", "jupyter_gpuperf", "run", "--save", str(saved), "--"]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*start, *program["command"]],
            cwd=folder / program["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        output.seek(0)
        return output.read().decode(errors="replace")[-4000:]


def verdict(program: dict[str, Any], record: dict[str, Any]) -> tuple[bool, list[str]]:
    """Return whether the findings are those that the program must have, and all that were found."""
    found = [each for each in record["findings"] if each["severity"] != "info"]
    codes, expected = {each["code"] for each in found}, set(program["expected"])
    hit = bool(codes & expected) if program.get("any") else expected <= codes
    names = [f"{each['code']} ({each['confidence']}): {each['summary']}" for each in found]
    is_named = any(program.get("words", "") in each for each in ["", *names])
    return (hit or not expected) and codes <= expected and is_named, names


def main() -> None:
    """Print a line per program, and the whole as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="names, separated by semicolons")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args()
    chosen = {each.strip() for each in parsed.only.split(";") if each.strip()}
    programs = json.loads((parsed.folder / "programs.json").read_text())
    rows = []
    for program in programs:
        if chosen and program["name"] not in chosen:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder) / "run.json"
            output = run(parsed.folder, program, parsed.seconds, saved)
            record = json.loads(saved.read_text()) if saved.exists() else None
        if record is None:
            print(f"NO RECORD  {program['name']}: {output[-600:]}", flush=True)
            rows.append({**program, "right": False, "output": output})
            continue
        right, found = verdict(program, record)
        loop = (record["loops"] or [{}])[0]
        step = (loop.get("step_seconds") or {}).get("value")
        print(
            f"{'right' if right else 'WRONG'}  {program['name']}  "
            f"step {1000 * step if step else float('nan'):.2f} ms, judged {record['is_judged']}, "
            f"{time.monotonic() - began:.0f} s: {found or 'nothing'}",
            flush=True,
        )
        rows.append({**program, "right": right, "found": found, "record": record, "output": output})
        if parsed.out:
            parsed.out.write_text(json.dumps(rows))
    print(f"{sum(each['right'] for each in rows)} of {len(rows)} right", flush=True)


if __name__ == "__main__":
    main()
