"""Check the diagnosis on every recorded workload, as recorded and as other samplers and devices would record it.

    python tests/perf/confusion_matrix.py                 print the tables
    python tests/perf/confusion_matrix.py --write         write them into docs/findings/proof.md
    python tests/perf/confusion_matrix.py --check         fail if the tables there are out of date

It needs no GPU: the readings come from recordings of an H100 (tests/recordings).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "rules"))

from perturbing import PERTURBATIONS, UNSEEN, judged, trace, truths
from without_gpm import MODES, SEVERAL, recordings, variants

from jupyter_gpuperf.rules import RULES, Finding, RuleInput, judge

PAGE = ROOT / "docs" / "findings" / "proof.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
VARIANTS_COUNT = 10
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
    """Return the confusion matrix of the traces, a row per perturbation, and all recordings without GPM."""
    known = {name: truth for name, truth in truths().items() if name != "_note"}
    windows = {name: trace(name) for name in known}
    return "\n".join(
        (_matrix(known, windows), _perturbed(known, windows), _modes(), _variants(), _reasons())
    )


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


def _modes() -> str:
    right = dict.fromkeys(MODES, 0)
    lines = ["| workload | expected | " + " | ".join(MODES) + " |"]
    lines.append("| --- | --- |" + " --- |" * len(MODES))
    for name, (window, truth) in recordings().items():
        cells = []
        for mode, (change, unseen) in MODES.items():
            missing, wrong = judged(judge(change(window), RULES), truth)
            right[mode] += not missing and not wrong
            false = "".join(f", false alarm: {code}" for code in wrong)
            seen = "can't be seen" if name in unseen else "**missed**"
            cells.append((seen if missing else "right") + false)
        wanted = ", ".join(truth["must"]).replace("|", " or ") or "healthy"
        lines.append(f"| {name.replace('_', ' ')} | {wanted} | " + " | ".join(cells) + " |")
    counts = [f"{count} of {len(recordings())}" for count in right.values()]
    lines.append("| **right** | | " + " | ".join(counts) + " |")
    return "\n".join(lines) + "\n"


def _variants() -> str:
    _, unseen = MODES["without GPM, every second"]
    lines = [
        "| without GPM, every second | windows | right | false alarms | missed | can't be seen |"
    ]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for label, change in SEVERAL.items():
        right, false, missed, hidden, count = 0, [], [], 0, 0
        for name, window in variants(change, VARIANTS_COUNT):
            missing, wrong = judged(judge(window, RULES), recordings()[name][1])
            workload = name.replace("_", " ")
            count, right = count + 1, right + (not missing and not wrong)
            false += [f"{code} on {workload}" for code in wrong]
            hidden += bool(missing) and name in unseen
            missed += [workload] if missing and name not in unseen else []
        lines.append(
            f"| {label} | {count} | {right} | {_counted(false)} | {_counted(missed)} | {hidden} |"
        )
    return "\n".join(lines) + "\n"


def _counted(names: list[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(names).items()) or "none"


def _reasons() -> str:
    lines = [
        f"- {', '.join(sorted(names)).replace('_', ' ')}: {reason}."
        for reason, names in UNSEEN.items()
    ]
    return "What can't be seen without GPM once a second:\n\n" + "\n".join(lines) + "\n"


def _of(code: str, findings: list[Finding]) -> Finding | None:
    return next((each for each in findings if each.code == code), None)


if __name__ == "__main__":
    main()
