"""Check the diagnosis on every recorded workload, as recorded and as other samplers and devices would record it.

    python tests/perf/confusion_matrix.py                 print the tables
    python tests/perf/confusion_matrix.py --write         write them into docs/findings/proof.md
    python tests/perf/confusion_matrix.py --check         fail if the tables there are out of date

It needs no GPU: the readings come from recordings of an H100 (tests/recordings).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "rules"))

from perturbing import PERTURBATIONS, judged, trace, truths

from jupyter_gpuperf.rules import RULES, Finding, RuleInput, judge

PAGE = ROOT / "docs" / "findings" / "proof.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
MARKS = {"critical": "●", "warning": "●", "info": "○"}


def main() -> None:
    """Print, write or check the tables, depending on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--write", action="store_true", help="write the tables into the documentation"
    )
    parser.add_argument("--check", action="store_true", help="fail if the documentation differs")
    options = parser.parse_args()
    text = tables()
    before, _, rest = PAGE.read_text().partition(BEGIN)
    now, _, after = rest.partition(END)
    if options.write:
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
    elif options.check:
        if now.strip() != text.strip():
            sys.exit(
                f"{PAGE.name} is out of date. Run: python tests/perf/confusion_matrix.py --write"
            )
    else:
        print(text)


def tables() -> str:
    """Return the confusion matrix of the traces, and a table with one row per perturbation."""
    known = {name: truth for name, truth in truths().items() if name != "_note"}
    windows = {name: trace(name) for name in known}
    return f"{_matrix(known, windows)}\n{_perturbed(known, windows)}"


def _matrix(known: dict, windows: dict[str, RuleInput]) -> str:
    found = {name: judge(windows[name], RULES) for name in known}
    codes = [rule.code for rule in RULES if any(_of(rule.code, each) for each in found.values())]
    lines = ["| workload | expected | " + " | ".join(codes) + " |"]
    lines.append("| --- | --- |" + " --- |" * len(codes))
    for name, truth in known.items():
        marks = []
        for code in codes:
            finding = _of(code, found[name])
            marks.append(MARKS[finding.severity] if finding else "")
        wanted = ", ".join(truth["must"]).replace("|", " or ") or "healthy"
        lines.append(f"| {name.replace('_', ' ')} | {wanted} | " + " | ".join(marks) + " |")
    return "\n".join(lines) + "\n"


def _perturbed(known: dict, windows: dict[str, RuleInput]) -> str:
    lines = ["| variant of the recordings | right | false alarms | not detected |"]
    lines.append("| --- | --- | --- | --- |")
    for label, (change, unseen) in PERTURBATIONS.items():
        right, false, blind = 0, [], []
        for name, truth in known.items():
            missing, wrong = judged(judge(change(windows[name]), RULES), truth)
            false += [f"{code} on {name.replace('_', ' ')}" for code in wrong]
            right += not missing and not wrong
            if missing:
                blind.append(name.replace("_", " ") + ("" if name in unseen else " (!)"))
        lines.append(
            f"| {label} | {right} of {len(known)} | {', '.join(false) or 'none'} | "
            f"{', '.join(blind) or '–'} |"
        )
    return "\n".join(lines) + "\n"


def _of(code: str, findings: list[Finding]) -> Finding | None:
    return next((each for each in findings if each.code == code), None)


if __name__ == "__main__":
    main()
