"""Judge a peer's answer for a workload: compare the cause in its most severe finding with the right one.

The rules are the same for all peers, and the same as for this product as far as the peers' output allows:

- only the most severe finding counts (gpuprof: HIGH, then MED; LOW is a note; the others: the first finding);
- *right*: the finding names the cause, or the workload is healthy and there is no finding;
- *wrong*: the finding names another cause, or the workload is healthy and there is a finding (a false alarm);
- *names none*: there is a cause, but no finding names one; or the peer reports that it could not judge.

The script never guesses the code of an unknown cause. It stops and asks for it.
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
        "Cold-cache pattern": "input-bound",  # slow reads from storage
    },
    "fournex": {},
    "gpu-idle": {
        "dataloader": "input-bound",
        "h2d_copy": "transfer-bound",
        "smallbatch": "launch-bound",  # its evidence: "per-launch overhead dominates"
    },
}
"""Maps words in a peer's finding to our code."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A peer's most severe finding.

    Attributes
    ----------
    words
        The peer's own text.
    code
        Our code for it; ``None`` if there is no finding above a note.
    could_judge
        ``False`` if the peer reports that it had too little data.
    """

    words: str
    code: str | None = None
    could_judge: bool = True


def answer_of(peer: str, said: str) -> Answer:
    """Return the most severe finding in a peer's output."""
    return {"gpuprof": _gpuprof, "fournex": _fournex, "gpu-idle": _gpu_idle}[peer](said)


def verdict(answer: Answer, must: Sequence[str], may: Sequence[str]) -> str:
    """Return the verdict on an answer, where ``must`` lists the required codes and ``may`` the allowed ones."""
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
    except json.JSONDecodeError:  # the peer ended with an error
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
