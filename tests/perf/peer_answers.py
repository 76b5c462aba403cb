"""What a peer's answer about a workload is worth: the cause that its loudest finding names, against the right one.

The rule, alike for all of them, and the rule for ours as far as their words allow:

- what counts is the loudest finding alone (gpuprof: HIGH, then MED; LOW is a note; the others: the first);
- *right*: it names the cause, or, on a healthy workload, there is none;
- *wrong*: it names another cause, or any cause on a healthy workload (a false alarm);
- *names none*: there is a cause, and no finding names one; or the peer says itself that it could not judge.

A cause that has no code here yet is never guessed: it is asked for.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

RIGHT, WRONG, NONE = "right", "wrong", "names none"

CODES = {
    "gpuprof": {
        "waiting on the loader": "input-bound",
        "Prefetch queue": "input-bound",
        "Cold-cache pattern": "input-bound",  # storage that is slow to read
    },
    "fournex": {},
    "gpu-idle": {
        "dataloader": "input-bound",
        "h2d_copy": "transfer-bound",
        "smallbatch": "launch-bound",  # its evidence: "per-launch overhead dominates"
    },
}
"""Words of a peer → our code."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A peer's loudest finding.

    Attributes
    ----------
    words
        As the peer writes it.
    code
        What it is here; ``None`` where no finding is loud.
    could_judge
        ``False`` where the peer says itself that it saw too little.
    """

    words: str
    code: str | None = None
    could_judge: bool = True


def answer_of(peer: str, said: str) -> Answer:
    """Return the loudest finding of all that a peer printed."""
    return {"gpuprof": _gpuprof, "fournex": _fournex, "gpu-idle": _gpu_idle}[peer](said)


def verdict(answer: Answer, must: Sequence[str], may: Sequence[str]) -> str:
    """Return what the answer is worth where one of ``must`` is to be found, and ``may`` may be."""
    wanted = {code for either in must for code in either.split("|")}
    if not answer.could_judge or (answer.code is None and wanted):
        return NONE
    if answer.code is None or answer.code in (wanted or set(may)):
        return RIGHT
    return WRONG


def _gpuprof(said: str) -> Answer:
    found = re.findall(r"^\s*\[(HIGH|MED|LOW)\]\s+(.+)$", said, re.MULTILINE)
    for level in ("HIGH", "MED"):
        for each, words in found:
            if each == level:
                return Answer(f"[{level}] {words}", _code("gpuprof", words))
    level, words = found[0] if found else ("", "nothing")
    return Answer(f"[{level}] {words}")


def _fournex(said: str) -> Answer:
    told = re.search(r"^VERDICT\n\s*(.+)$", said, re.MULTILINE)
    words = told.group(1).strip() if told else "nothing"
    if told is None or words.startswith("Analysis incomplete"):
        return Answer(words, could_judge=False)
    return Answer(words, _code("fournex", words))


def _gpu_idle(said: str) -> Answer:
    try:
        findings = json.loads(said)["findings"]
    except json.JSONDecodeError:  # it ended with an error
        last = (said.strip().splitlines() or ["nothing"])[-1]
        return Answer(re.sub(r"\S*/", "", last), could_judge=False)
    if not findings:
        return Answer("no findings")
    first = findings[0]
    if first["cause"] == "unattributed":  # idle, "but none of the known signatures match"
        return Answer(f"unattributed: {first['evidence']}", could_judge=False)
    return Answer(f"{first['cause']}: {first['evidence']}", _code("gpu-idle", first["cause"]))


def _code(peer: str, words: str) -> str:
    for theirs, ours in CODES[peer].items():
        if theirs in words:
            return ours
    sys.exit(f"Which cause does {peer} mean by “{words}”? Add it to CODES of {__file__}.")
