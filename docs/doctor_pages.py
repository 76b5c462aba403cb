"""Generate a page of checks for each of the doctor's subjects, a page of messages and one of common advice."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Final

from jupyter_gpuperf.checks import CHECKS, SUBJECTS, Check, checks_of, subject_of

TITLES: Final = {
    "driver": "Driver",
    "runtime": "torch and CUDA",
    "devices": "Devices",
    "libraries": "CUDA libraries",
    "torch_settings": "torch settings",
    "variables": "Environment variables and caches",
    "container": "Container and limits",
    "host": "Machine",
    "storage": "Disks and directories",
    "packages": "Python packages",
    "threads": "Threads",
    "jupyter": "Jupyter",
    "notebook": "Notebooks",
}
ADVICE: Final = (
    ("1", "Utilisation is low although torch finds the GPU", "torch_sees_gpu"),
    (
        "2.1",
        "CUDA 11.8 and 12.1 side by side, compatible with the driver; Python, compiler, NumPy; a shell that starts fast",
        "driver_versions torch_build driver_for_torch compute_capability cuda_toolkits library_path loaded_libraries compiler thread_counts blas shell_start",
    ),
    (
        "2.2",
        "MKL and KMP_AFFINITY, headless OpenCV, few JupyterLab extensions, packages without conflicts, cleared caches",
        "built_on_torch pip_cache dependencies duplicate_packages opencv pillow pandas_reader thread_counts blas openmp_runtimes pinned_threads jupyter_versions lab_extensions server_extensions",
    ),
    (
        "3.1",
        "Is CUDA available: torch's version, device count, CUDA_HOME, PATH, LD_LIBRARY_PATH",
        "gpu_present driver_loaded driver_versions driver_answers cuda_starts torch_imports torch_build driver_for_torch torch_sees_gpu visible_devices cuda_toolkits library_path",
    ),
    ("3.3", "A slow forward pass: check for cudnn.enabled = False", "cudnn_enabled"),
    ("4.1", "No more workers than CPUs", "cpu_quota"),
    ("4.2", "autocast, torch.compile, apex", "built_on_torch compile_caches compiler"),
    (
        "4.3",
        "JupyterLab: live readings, few extensions, %matplotlib widget, retina figures",
        "nvml_module gpuperf_installed lab_extensions server_extensions widgets matplotlib_widget retina_figures",
    ),
    (
        "5.1",
        "No GPU in the container: use --gpus all, --shm-size, --ulimit memlock",
        "driver_answers cuda_starts gpu_in_container shared_memory locked_memory",
    ),
    (
        "5.2",
        "Utilisation that goes up and down: more workers, data on a fast disk",
        "busy working_folder",
    ),
    ("5.3", "More memory than before: cudnn.benchmark", "cudnn_benchmark allocator"),
    (
        "6",
        "Three things to remember: Docker's flags, workers, compile",
        "gpu_in_container shared_memory",
    ),
)
"""Common advice for a fast GPU notebook: the guide's chapter, the advice, and the checks that cover it."""


def write_doctor_pages(folder: Path) -> None:
    """Write all pages into ``folder``."""
    folder.mkdir(parents=True)
    for subject in SUBJECTS:
        (folder / f"{name_of(subject)}.md").write_text(subject_page(subject))
    (folder / "messages.md").write_text(messages_page())
    (folder / "advice.md").write_text(advice_page())
    (folder / "index.md").write_text(index_page())


def name_of(subject: ModuleType) -> str:
    """Return a subject's name."""
    return subject.__name__.rpartition(".")[2]


def place_of(check: Check) -> str:
    """Return the link target of a check's heading."""
    return f"{subject_of(check)}.md#{check.name}"


def index_page() -> str:
    """Return the list of all checks."""
    names = [name_of(subject) for subject in SUBJECTS]
    lines = ["# Checks", "", f"{len(CHECKS)} checks, by subject.", ""]
    for subject in SUBJECTS:
        lines += [f"## {TITLES[name_of(subject)]}", ""]
        lines += [
            f"- [{check.name}]({place_of(check)}): {check.label}" for check in checks_of(subject)
        ]
        lines.append("")
    toctree = "\n".join([*names, "messages", "advice"])
    return "\n".join(lines) + f"\n```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"


def subject_page(subject: ModuleType) -> str:
    """Return a subject's page: what it examines, and each of its checks."""
    lines = [f"# {TITLES[name_of(subject)]}", "", str(inspect.getdoc(subject)), ""]
    for check in checks_of(subject):
        lines += [
            f"({check.name})=",
            "",
            f"## {check.label}",
            "",
            f"`{check.name}`. {escaped(check.why)}",
            "",
            f"Expected: {escaped(check.expected)}",
            "",
        ]
        if check.messages:
            lines += ["Messages that it causes:", "", "```text", *check.messages, "```", ""]
        lines += [f"[Source]({check.link})", ""]
    return "\n".join(lines)


def messages_page() -> str:
    """Return the page of error messages that people search for, each with the check that explains it."""
    rows = [(message, check) for check in CHECKS for message in check.messages]
    lines = [
        "# Messages",
        "",
        "Messages of other programs, each with the check that examines its cause.",
        "",
    ]
    lines += ["| message | check |", "| --- | --- |"]
    lines += [
        f"| `{message.replace('`', '')}` | [{check.label}]({place_of(check)}) |"
        for message, check in sorted(rows, key=lambda row: row[0].lower())
    ]
    return "\n".join(lines) + "\n"


def advice_page() -> str:
    """Return the page of common advice, with the checks that cover it."""
    lines = [
        "# Common advice, and the checks that cover it",
        "",
        "Guides to a fast GPU notebook give similar advice. These checks cover it:",
        "",
        "| § | advice | checks |",
        "| --- | --- | --- |",
    ]
    by_name = {check.name: check for check in CHECKS}
    for chapter, advice, names in ADVICE:
        checks = ", ".join(f"[{name}]({place_of(by_name[name])})" for name in names.split())
        lines.append(f"| {chapter} | {advice} | {checks} |")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return the text with its markup characters escaped."""
    return text.replace("<", "\\<").replace("*", "\\*")
