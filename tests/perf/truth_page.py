"""Write the labelled workloads' confusion matrix, with the verdicts on the peers, into the documentation.

    python tests/perf/truth_page.py                     print the tables
    python tests/perf/truth_page.py --take truth.json   take the results of tests/perf/diagnosis_truth.py --out
    python tests/perf/truth_page.py --write             write them into docs/findings/proof.md
    python tests/perf/truth_page.py --check             fail if the tables there are out of date

It needs no GPU: docs/findings/truth.json keeps the results of runs on a real GPU, and the peers' answers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

from diagnosis_truth import PEERS, ROOT, expected_of, matrix, names
from peer_answers import NONE, RIGHT, WRONG, answer_of, verdict

PAGE = ROOT / "docs" / "findings" / "proof.md"
KEPT = ROOT / "docs" / "findings" / "truth.json"
BEGIN, END = "<!-- workloads: begin -->", "<!-- workloads: end -->"
NOT_RUN = "not run yet"
WORDS_LIMIT = 160


def main() -> None:
    """Take new results; then print, write or check the tables, depending on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--take", metavar="FILE", help="take new results of diagnosis_truth.py")
    parser.add_argument(
        "--write", action="store_true", help="write the tables into the documentation"
    )
    parser.add_argument("--check", action="store_true", help="fail if the documentation differs")
    options = parser.parse_args()
    if options.take:
        take(json.loads(Path(options.take).read_text()))
    if options.check:
        if problem := out_of_date():
            sys.exit(problem)
    elif options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.partition(END)[2]}")
    else:
        print(tables())


def take(found: dict) -> None:
    """Keep the part of a run's results that the tables need; results of other workloads stay."""
    kept = json.loads(KEPT.read_text())
    workloads = kept["workloads"]
    for name, result in found.items():
        mine = workloads.setdefault(name, {})
        if "findings" in result:
            mine |= {key: result[key] for key in ("expected", "missing", "false_alarms")}
            mine["findings"] = [
                {key: each[key] for key in ("code", "severity")} for each in result["findings"]
            ]
        said = {peer: each for peer, each in result.get("peers", {}).items() if "said" in each}
        if said:
            mine["peers"] = mine.get("peers", {}) | said
    kept["workloads"] = {name: workloads[name] for name in names() if workloads.get(name)}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def out_of_date() -> str | None:
    """Return why the kept results or the page are out of date, or ``None``."""
    for name, result in _workloads().items():
        if result["expected"] != expected_of(name):
            return f"{name} has other expected findings now. Judge its recording again."
    now = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    if now.strip() != tables().strip():
        return f"{PAGE.name} is out of date. Run: python tests/perf/truth_page.py --write"
    return None


def tables() -> str:
    """Return the matrix with a column for each peer, the workloads not run yet, and the peers' answers."""
    workloads = _workloads()
    columns = {peer: {name: _cell(peer, workloads[name]) for name in workloads} for peer in PEERS}
    unknown = [name.replace("_", " ") for name in names() if name not in workloads]
    lines = [matrix(workloads, columns)]
    lines += [f"\nNot run yet: {', '.join(unknown)}."] if unknown else []
    lines += ["", "| tool | right | wrong | names none | not run yet |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for peer, cells in columns.items():
        counts = Counter(cells.values())
        told = " | ".join(str(counts[each]) for each in (RIGHT, WRONG, NONE, NOT_RUN))
        lines.append(f"| {peer} {_kept()['peer_versions'][peer]} | {told} |")
    lines += ["", "| workload | tool | its most severe finding, verbatim | verdict |"]
    lines.append("| --- | --- | --- | --- |")
    for name, result in workloads.items():
        for peer, each in result.get("peers", {}).items():
            words = answer_of(peer, each["said"]).words
            words = words if len(words) <= WORDS_LIMIT else words[: WORDS_LIMIT - 2] + " …"
            shown = f"{name.replace('_', ' ')} | {peer} | {words} | {columns[peer][name]}"
            lines.append(f"| {shown} |")
    return "\n".join(lines) + "\n"


def _cell(peer: str, result: dict) -> str:
    said = result.get("peers", {}).get(peer)
    if said is None:
        return NOT_RUN
    return verdict(answer_of(peer, said["said"]), **result["expected"])


def _kept() -> dict:
    return json.loads(KEPT.read_text())


def _workloads() -> dict:
    return {name: each for name, each in _kept()["workloads"].items() if "findings" in each}


if __name__ == "__main__":
    main()
