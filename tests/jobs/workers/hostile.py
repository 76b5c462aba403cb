"""A worker that speaks nonsense of the kind that its parameter ``items`` chooses.

Each act ends with a proper result; what is before it must not keep that from arriving.
"""

import json
import signal
import sys
import time

from stand_in import finish, say


def nests_too_deep():
    print("[" * 100_000, flush=True)
    finish()


def progresses_by_too_large_a_number():
    print('{"type": "progress", "ratio": 1%s, "message": ""}' % ("0" * 400), flush=True)
    finish()


def progresses_by_no_number():
    print('{"type": "progress", "ratio": NaN, "message": "half of nothing"}', flush=True)
    print('{"type": "progress", "ratio": 7, "message": "beyond the end"}', flush=True)
    finish()


def speaks_other_than_objects():
    for odd in ("[1]", '"progress"', "17", "null", '{"type": []}', '{"type": "progress"}'):
        print(odd, flush=True)
    finish()


def pretends_that_it_ended():
    print('{"type": "ended", "reason": "exited", "returncode": 0, "detail": ""}', flush=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def answers_in_20_megabytes():
    print('{"type": "result", "result": {"samples": {"batch_seconds": [', end="")
    print("1.0, " * 4_000_000, "1.0]}}}", flush=True)


def answers_with_an_error_of_odd_types():
    print('{"type": "error", "code": 5, "message": null, "hint": ["x"]}', flush=True)


def answers_without_an_end_of_line():
    sys.stdout.write(json.dumps({"type": "progress", "ratio": 0.5, "message": "cut"})[:-5])
    sys.stdout.flush()


def writes_what_a_terminal_obeys():
    say({"type": "progress", "ratio": 0.5, "message": "\x1b[2Jhalf\r way \ud800"})
    finish(warnings=["\ud800", "a\rb"], environment={"torch\0": "\x1b[31m2.11"})


def describes_a_message_without_end():
    described = "x"
    for _ in range(12):
        described = {"template": "{a}" * 300, "parameters": {"a": described}}
    say({"type": "progress", "ratio": 0.5, "message": "x", "message_message": described})
    finish(warnings=["x"], warnings_message=[described])


ACTS = (
    nests_too_deep,
    progresses_by_too_large_a_number,
    progresses_by_no_number,
    speaks_other_than_objects,
    pretends_that_it_ended,
    answers_in_20_megabytes,
    answers_with_an_error_of_odd_types,
    answers_without_an_end_of_line,
    writes_what_a_terminal_obeys,
    describes_a_message_without_end,
)

if __name__ == "__main__":
    ACTS[json.load(sys.stdin)["parameters"]["items"] - 1]()
