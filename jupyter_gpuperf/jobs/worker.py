"""Run one benchmark, or the doctor, in the interpreter that this script is started with.

A kernel's interpreter runs this script by path; this package need not be installed in the kernel's
environment. The script makes the package importable, but nothing else of the server's environment. The
request is JSON on standard input; messages are JSON lines on the original standard output.
Anything that the benchmark prints goes to standard error, which is the job's log.

This file must parse with any Python 3, so that an old version gets a clear error message.
"""

import importlib.util
import json
import os
import sys

TYPE_CHECKING = False  # not imported: old Pythons have no typing
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

OLDEST_PYTHON = (3, 10)


def main() -> None:
    """Run the request from standard input, and send the result or an error."""
    send = _take_over_stdout()
    if sys.version_info < OLDEST_PYTHON:
        hint = "Choose a kernel with Python 3.10 or newer."
        send(_too_old(message="This kernel runs Python {version}.", hint=hint))
        return
    request = json.load(sys.stdin)
    _make_package_importable()
    if request.get("task") == "doctor":
        from jupyter_gpuperf.checks.runner import run_request
    else:
        from jupyter_gpuperf.benchmarks.running import run_request
    run_request(request, send)
    sys.stderr.flush()
    os._exit(0)  # a library's exit handler must not delay the result; the supervisor cleans up


def _too_old(message: str, hint: str) -> "dict[str, Any]":
    version = "%d.%d" % sys.version_info[:2]  # noqa: UP031  (parsed by old Pythons)
    described = {"template": message, "parameters": {"version": version}}
    error = {"type": "error", "code": "kernel_python_too_old", "message_message": described}
    return dict(error, message=message.replace("{version}", version), hint=hint)


def _take_over_stdout() -> "Callable[[dict[str, Any]], None]":
    messages = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def send(message: "dict[str, Any]") -> None:
        messages.write(json.dumps(message).encode() + b"\n")

    return send


def _make_package_importable() -> None:
    # From the script's own folder, "import posix" would find this package's module.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    folder = os.path.dirname(here)
    spec = importlib.util.spec_from_file_location(
        "jupyter_gpuperf", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["jupyter_gpuperf"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    main()
