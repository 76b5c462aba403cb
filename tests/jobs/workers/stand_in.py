"""A worker that does what its request's parameter ``items`` says, and nothing useful.

Speaks the worker's protocol: request on standard input, JSON lines on standard output.
"""

import json
import os
import signal
import subprocess
import sys
import time

RESULT = {
    "benchmark": "dataloader",
    "parameters": {},
    "unit": "seconds",
    "figures": {"batch_seconds": {"value": 2.0, "low": 1.0, "high": 3.0}},
    "samples": {"batch_seconds": [1.0, 2.0, 3.0]},
    "environment": {"pid": os.getpid(), "tmpdir": os.environ.get("TMPDIR")},
    "limits": {},
    "warnings": [],
}


def say(message):
    print(json.dumps(message), flush=True)


def finish(**changes):
    say({"type": "result", "result": {**RESULT, **changes}})


def works():
    say({"type": "progress", "ratio": 0.5, "message": "half way"})
    finish()


def sleeps():
    say({"type": "progress", "ratio": 0.1, "message": "sleeping"})
    time.sleep(600)


def ignores_sigterm_and_has_a_grandchild():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    # A session of its own: a signal to the worker's group does not reach it.
    grandchild = subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
    say({"type": "progress", "ratio": 0.1, "message": f"pids {os.getpid()} {grandchild.pid}"})
    time.sleep(600)


def leaves_a_grandchild_and_finishes():
    child = "import time; time.sleep(600)"
    grandchild = subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
    finish(environment={"grandchild": grandchild.pid})


def exits():
    print("the last words", file=sys.stderr)
    sys.exit(7)


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def prints_garbage():
    print("Hello from a library")
    print('{"no": "type"}')
    print("\x00\xff{[")
    print('{"type": "progress", "ratio": "much", "message": 1}')
    works()


def answers_in_the_wrong_shape():
    finish(figures={"batch_seconds": "fast"})


def floods_the_log():
    for _ in range(50):
        sys.stderr.write("x" * 1_000_000)
    sys.stderr.write("the end\n")
    finish()


def answers_at_length():
    finish(samples={"batch_seconds": [1.0] * 500_000})


def leaves_files():
    with open(os.path.join(os.environ["TMPDIR"], "left"), "w") as file:
        file.write("x")
    finish()


def reports_twice_at_once_and_sleeps():
    say({"type": "progress", "ratio": 0.1, "message": "first"})
    say({"type": "progress", "ratio": 0.2, "message": "second"})
    time.sleep(600)


# The integer parameter chooses, so that requests pass the real benchmark's checks.
ACTS = (
    works,
    sleeps,
    ignores_sigterm_and_has_a_grandchild,
    exits,
    is_killed,
    prints_garbage,
    answers_in_the_wrong_shape,
    floods_the_log,
    answers_at_length,
    leaves_files,
    leaves_a_grandchild_and_finishes,
    reports_twice_at_once_and_sleeps,
)

if __name__ == "__main__":
    request = json.load(sys.stdin)
    ACTS[request["parameters"]["items"] - 1]()
