"""Run the labelled workloads on this machine's GPU, diagnose their recordings, and print which tool was right.

    python tests/perf/diagnosis_truth.py                      run all workloads, 35 s each
    python tests/perf/diagnosis_truth.py --only slow_store    run one workload
    python tests/perf/diagnosis_truth.py --part 1/3           run a third, for machines that are available for a short time
    python tests/perf/diagnosis_truth.py --peers all          also run gpuprof, fournex and gpu-idle, if installed
    python tests/perf/diagnosis_truth.py --out truth.json     add the results to a file
    python tests/perf/diagnosis_truth.py --keep FOLDER        keep the recordings, too
    python tests/perf/diagnosis_truth.py --judge FOLDER --out truth.json   diagnose kept recordings again
    python tests/perf/diagnosis_truth.py --table truth.json   print the tables of a file, and run nothing
    python tests/perf/diagnosis_truth.py --dry                check the setup: tiny, on the CPU, with a replayed device

Each workload runs while the product's own recorder samples, as a user's would. A peer runs the workload a second
time, as its manual recommends.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKLOADS = ROOT / "tests" / "gpu" / "workloads"
HELPERS = {"looping", "training"}
MARKS = {"critical": "●", "warning": "●", "info": "○"}
DRY_SOURCE = "replay:h100_healthy_resnet50_bf16.jsonl.gz"
REST_SECONDS = 2.0
START_SECONDS = 120.0
TEXT_LIMIT = 4000


def main() -> None:
    """Run and judge the chosen workloads, and print the tables."""
    options = _options()
    if options.table:
        print(tables(json.loads(Path(options.table).read_text())))
        return
    kept = Path(options.out) if options.out else None
    results = json.loads(kept.read_text()) if kept and kept.exists() else {}
    for name in chosen(options):
        print(f"{name} …", file=sys.stderr, flush=True)
        results[name] = {**results.get(name, {}), **judged(name, options)}
        if kept:  # after each workload, because the machine may become unavailable
            kept.write_text(json.dumps(results, indent=1))
    print(tables({name: results[name] for name in chosen(options)}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="NAME", choices=sorted(names()))
    parser.add_argument("--part", metavar="I/N", help="the I-th of N parts of the list")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of steady work")
    parser.add_argument(
        "--peer-seconds", type=float, default=20.0, help="the same for a peer's run"
    )
    parser.add_argument("--peers", default="", help="all, or a list from gpuprof,fournex,gpu-idle")
    parser.add_argument(
        "--only-peers", action="store_true", help="run only the peers, without the recorder"
    )
    parser.add_argument("--out", metavar="FILE")
    parser.add_argument("--keep", metavar="FOLDER", help="where to keep the recordings")
    parser.add_argument(
        "--judge", metavar="FOLDER", help="diagnose kept recordings, and run nothing"
    )
    parser.add_argument("--table", metavar="FILE")
    parser.add_argument("--dry", action="store_true")
    return parser.parse_args()


def names() -> list[str]:
    """Return the names of all workloads."""
    return sorted({path.stem for path in WORKLOADS.glob("*.py")} - HELPERS)


def chosen(options: argparse.Namespace) -> list[str]:
    """Return the names of the workloads that the options select."""
    wanted = options.only or names()
    if options.part:
        part, count = map(int, options.part.split("/"))
        wanted = wanted[part - 1 :: count]
    return wanted


def judged(name: str, options: argparse.Namespace) -> dict:
    """Run one workload with the recorder and with each peer; return all their findings."""
    found: dict = {}
    if options.judge:
        return (
            {}
            if not (kept := Path(options.judge) / f"{name}.jsonl.gz").exists()
            else verdict(name, kept)
        )
    with tempfile.TemporaryDirectory() as folder:
        if not options.only_peers:
            recording = Path(folder) / f"{name}.jsonl.gz"
            ran = recorded(name, recording, options)
            found = {"ran": ran, **verdict(name, recording)}
            if options.keep:
                Path(options.keep).mkdir(parents=True, exist_ok=True)
                shutil.copy(recording, options.keep)
        asked = argparse.Namespace(**{**vars(options), "seconds": options.peer_seconds})
        peers = {
            peer: ask(name, Path(folder), asked)
            for peer, ask in PEERS.items()
            if options.peers == "all" or peer in options.peers.split(",")
        }
    return {**found, **({"peers": peers} if peers else {})}


def verdict(name: str, recording: Path) -> dict:
    """Diagnose a recording; return the expected findings, the findings, and which are missing or wrong."""
    expected = expected_of(name)
    findings = diagnosed(recording)
    codes = {each["code"] for each in findings}
    wanted = {code for either in expected["must"] for code in either.split("|")}
    return {
        "expected": expected,
        "findings": [
            {key: each[key] for key in ("code", "severity", "confidence", "summary", "evidence")}
            for each in findings
        ],
        "missing": [each for each in expected["must"] if not codes & set(each.split("|"))],
        "false_alarms": [
            each["code"]
            for each in findings
            if each["severity"] != "info" and each["code"] not in wanted | set(expected["may"])
        ],
    }


def expected_of(name: str) -> dict:
    """Return the findings that a workload declares as required and as allowed on an H100."""
    sys.path[:0] = [str(WORKLOADS), str(ROOT)]
    return importlib.import_module(name).EXPECTED


def recorded(name: str, recording: Path, options: argparse.Namespace) -> dict:
    """Run a workload while the product's recorder runs; return the workload's own result."""
    command = [sys.executable, "-m", "jupyter_gpuperf", "record", str(recording), "--label", name]
    command += ["--source", DRY_SOURCE] if options.dry else []
    recorder = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        line = recorder.stderr.readline()
        if "Recording" not in line:
            sys.exit(f"Nothing can be recorded: {line}{recorder.stderr.read()}")
        time.sleep(REST_SECONDS)
        ran = run(name, options)
        time.sleep(REST_SECONDS / 2)
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=30)
    return ran


def run(name: str, options: argparse.Namespace, *more: str, prefix: tuple[str, ...] = ()) -> dict:
    """Run a workload; return its own result, or its error."""
    command = [*prefix, sys.executable, str(WORKLOADS / f"{name}.py")]
    command += ["--seconds", str(options.seconds), *(["--dry"] if options.dry else []), *more]
    done = _called(command, options.seconds + START_SECONDS)
    try:
        return json.loads(done["stdout"].strip().splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        return {"error": (done["stderr"] or done["stdout"])[-TEXT_LIMIT:], "code": done["code"]}


def diagnosed(recording: Path) -> list[dict]:
    """Return the product's findings in a recording."""
    command = [sys.executable, "-m", "jupyter_gpuperf", "diagnose", str(recording), "--json"]
    done = _called(command, 120, cwd=ROOT)
    if done["code"] != 0:
        sys.exit(done["stderr"])
    return json.loads(done["stdout"])["findings"]


# --- the peers -----------------------------------------------------------------------------------------


def ask_gpuprof(name: str, folder: Path, options: argparse.Namespace) -> dict:
    """Run the workload with gpuprof's two calls inside; return gpuprof's report."""
    if shutil.which("gpuprof") is None:
        return {"missing": "gpuprof is not installed"}
    done = _called(
        [sys.executable, str(WORKLOADS / f"{name}.py"), "--seconds", str(options.seconds)]
        + (["--dry"] if options.dry else [])
        + ["--gpuprof", name],
        options.seconds + START_SECONDS,
        cwd=folder,
    )
    told = _called(["gpuprof", "insights"], 60, cwd=folder)
    return {"said": (told["stdout"] or told["stderr"] or done["stderr"])[-TEXT_LIMIT:]}


def ask_fournex(name: str, folder: Path, options: argparse.Namespace) -> dict:
    """Run the workload under fournex' collector; return fournex' analysis."""
    if shutil.which("frx") is None:
        return {"missing": "fournex is not installed"}
    script = [sys.executable, str(WORKLOADS / f"{name}.py"), "--seconds", str(options.seconds)]
    script += ["--dry"] if options.dry else []
    collected = _called(
        ["frx", "collect", "--name", name, "--", *script],
        options.seconds + START_SECONDS,
        cwd=folder,
    )
    runs = sorted((folder / "runs").glob("run-*"))
    if not runs:
        return {"said": (collected["stderr"] or collected["stdout"])[-TEXT_LIMIT:]}
    told = _called(["frx", "analyze", str(runs[-1])], 120, cwd=folder)
    return {"said": (told["stdout"] or told["stderr"])[-TEXT_LIMIT:]}


def ask_gpu_idle(name: str, folder: Path, options: argparse.Namespace) -> dict:
    """Profile thirty steps with torch's profiler; return gpu-idle's analysis of the trace."""
    if shutil.which("gpu-idle") is None:
        return {"missing": "gpu-idle is not installed"}
    trace = folder / "trace.json"
    ran = run(name, options, "--trace", str(trace))
    if not trace.exists():
        return {"said": f"no trace: {ran}"[-TEXT_LIMIT:]}
    told = _called(["gpu-idle", str(trace), "--json"], 300, cwd=folder)
    return {"said": (told["stdout"] or told["stderr"])[-TEXT_LIMIT:]}


PEERS = {"gpuprof": ask_gpuprof, "fournex": ask_fournex, "gpu-idle": ask_gpu_idle}


def _called(command: list[str], seconds: float, cwd: Path | None = None) -> dict:
    paths = filter(None, [str(ROOT), str(WORKLOADS), os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            cwd=cwd,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return {"code": 124, "stdout": "", "stderr": f"It took longer than {seconds:.0f} s."}
    return {"code": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


# --- the printed tables -----------------------------------------------------------------------------------


def tables(results: dict) -> str:
    """Return the confusion matrix, the failures, and the peers' answers."""
    judged = {name: result for name, result in results.items() if "findings" in result}
    lines = [matrix(judged)]
    for name, result in results.items():
        if "error" in result.get("ran", {}):
            lines.append(f"\n{name} failed:\n{result['ran']['error'][-600:]}")
        for peer, answer in result.get("peers", {}).items():
            words = answer.get("said") or answer.get("missing") or ""
            lines.append(f"\n{name}, {peer}:\n{words[:1500]}")
    return "\n".join(lines)


def matrix(results: dict, more: dict[str, dict[str, str]] | None = None) -> str:
    """Return the confusion matrix. ``more`` has further columns: heading → workload → cell."""
    more = more or {}
    codes = sorted({each["code"] for result in results.values() for each in result["findings"]})
    headings = ["workload", "expected", *codes, "right", *more]
    lines = [f"| {' | '.join(headings)} |", "|" + " --- |" * len(headings)]
    right = 0
    for name, result in results.items():
        severities = {each["code"]: MARKS[each["severity"]] for each in result["findings"]}
        wanted = ", ".join(result["expected"]["must"]).replace("|", " or ") or "healthy"
        wrong = [*(f"missing {each}" for each in result["missing"])]
        wrong += [f"false {each}" for each in result["false_alarms"]]
        if "error" in result.get("ran", {}):
            wrong.append("it failed")
        right += not wrong
        cells = [name.replace("_", " "), wanted, *(severities.get(code, "") for code in codes)]
        cells += [", ".join(wrong) or "yes", *(column[name] for column in more.values())]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, f"\n{right} of {len(results)} right."])


if __name__ == "__main__":
    main()
