"""Test the doctor on real environments with planted faults: finds each, suggests a working fix, no false alarms.

    python tests/perf/doctor_environments.py [--only NAME] [--json] [--write docs/doctor/environments.md]

Run it as root on Linux: it creates namespaces and control groups, and removes them afterwards. It downloads
small packages. The doctor examines each environment, its suggested command is run in the same shell, and the
doctor examines the environment again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
GROUP = Path("/sys/fs/cgroup/cpu/gpuperf-doctor")
LONGEST_SECONDS = 600

SESSION = """
sudo() {{ "$@"; }}
doctor() {{ {python} -m jupyter_gpuperf doctor --json {kernel} > "$1" 2>> {folder}/log; }}
{prepare}
doctor {folder}/before.json
fix=$({python} - {folder}/before.json {check} <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
print(next((each["fix"] for each in report["checks"] if each["id"] == sys.argv[2]), ""))
END
)
{mend}
doctor {folder}/after.json
"""
"""One shell prepares the environment, examines it, runs the suggested command, and examines it again."""

NOTEBOOK = """
import json, sys
import torch
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_gpuperf")
{prepare}
def doctor(path):
    report = shell.run_line_magic("gpudoctor", "").to_dict()
    json.dump(report, open(path, "w"))
    return {{each["id"]: each for each in report["checks"]}}
exec(doctor("{folder}/before.json")["{check}"]["fix"])
doctor("{folder}/after.json")
"""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A real environment, its planted fault, and the check that must find it.

    Parameters
    ----------
    check
        The check that must find the fault; empty if there is no fault.
    packages
        The packages to install in a new virtual environment, which gets a kernel spec; ``None`` to
        examine the product's own environment.
    prepare
        Shell code, or Python code for a notebook.
    around
        The command that starts the shell, for example in a namespace.
    mend
        The shell code of the fix: the suggested command, unless that starts something new, such as a container.
    """

    name: str
    fault: str
    check: str = ""
    packages: tuple[str, ...] | None = None
    prepare: str = ""
    around: tuple[str, ...] = ()
    notebook: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    mend: str = 'eval "$fix" >> {folder}/log 2>&1'
    also: tuple[str, ...] = ()
    """Other checks that also find this fault."""


ENVIRONMENTS = (
    Environment(name="virtual environment with a CPU build of torch, JupyterLab and 190 packages", fault="none"),
    Environment(name="empty virtual environment", fault="none", packages=()),
    Environment(name="conda-like layout", fault="none", packages=(), prepare="mkdir -p {folder}/env/conda-meta; touch {folder}/env/conda-meta/history"),
    Environment(name="two OpenCVs", fault="opencv-python and opencv-python-headless", check="opencv", packages=("numpy", "--no-deps", "opencv-python", "opencv-python-headless")),
    Environment(name="wrong pynvml", fault="pynvml 11.5 beside nvidia-ml-py", check="nvml_module", packages=("nvidia-ml-py", "pynvml==11.5.0")),
    Environment(name="package without its dependency", fault="jinja2 without markupsafe", check="dependencies", packages=("--no-deps", "jinja2")),
    Environment(name="remains of a broken installation", fault="a folder ~umpy", check="duplicate_packages", packages=(), prepare="mkdir {site}/~umpy"),
    Environment(name="interrupted upgrade", fault="two versions of six in one folder", check="duplicate_packages", packages=("six",), prepare="cp -r {site}/six-*.dist-info {site}/six-1.0.0.dist-info; sed -i 's/^Version: .*/Version: 1.0.0/' {site}/six-1.0.0.dist-info/METADATA"),
    Environment(name="old ipywidgets", fault="ipywidgets 7 in the kernel; the front end expects 8", check="widgets", packages=("--no-deps", "ipywidgets<8"), also=("dependencies",)),
    Environment(name="broken numpy", fault="a compiled module of numpy is missing", check="blas", packages=("numpy",), prepare="rm {site}/numpy/_core/_multiarray_umath*.so"),
    Environment(name="container with small shared memory", fault="/dev/shm of 64 MiB", check="shared_memory", around=("unshare", "-m"), prepare="mount -t tmpfs -o size=64m tmpfs /dev/shm", mend='case "$fix" in *--shm-size=8g*) mount -o remount,size=8g /dev/shm;; esac'),
    Environment(name="CPU quota by control group", fault="half a CPU; Python reports all CPUs", check="cpu_quota", prepare="mkdir {group}; echo 50000 > {group}/cpu.cfs_quota_us; echo $$ > {group}/cgroup.procs"),
    Environment(name="few open files", fault="ulimit -n 256", check="open_files", prepare="ulimit -Sn 256"),
    Environment(name="removed temporary folder", fault="TMPDIR does not exist", check="temporary_folder", prepare="export TMPDIR={folder}/gone; mkdir $TMPDIR; python3 -c 'import os; os.rmdir(os.environ[\"TMPDIR\"])'"),
    Environment(name="too many threads", fault="OMP_NUM_THREADS=64", check="thread_counts", variables={"OMP_NUM_THREADS": "64"}),
    Environment(name="debugging variable in the kernel spec", fault="CUDA_LAUNCH_BLOCKING=1 in kernel.json", check="launch_blocking", packages=(), prepare="sed -i 's/\"env\": {{}}/\"env\": {{\"CUDA_LAUNCH_BLOCKING\": \"1\"}}/' {folder}/jupyter/kernels/examined/kernel.json"),
    Environment(name="debugging variables in the shell", fault="TORCH_USE_CUDA_DSA=1 and NCCL_DEBUG=INFO", check="debugging_variables", variables={"TORCH_USE_CUDA_DSA": "1", "NCCL_DEBUG": "INFO"}),
    Environment(name="allocator option mistyped", fault="PYTORCH_CUDA_ALLOC_CONF=expandable_segments=True", check="allocator", variables={"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments=True"}),
    Environment(name="stubs on the library path", fault="LD_LIBRARY_PATH contains a folder stubs", check="library_path", prepare="mkdir -p {folder}/stubs; export LD_LIBRARY_PATH={folder}/stubs"),
    Environment(name="removed CUDA toolkit", fault="CUDA_HOME does not exist", check="cuda_toolkits", variables={"CUDA_HOME": "/usr/local/cuda-9.9"}),
    Environment(name="pinned threads", fault="OMP_PROC_BIND=close", check="pinned_threads", variables={"OMP_PROC_BIND": "close"}),
    Environment(name="kernel with a removed environment", fault="the interpreter in kernel.json does not exist", check="kernel_specs", prepare="mkdir -p {folder}/jupyter/kernels/old; echo '{{\"argv\": [\"/gone/bin/python\"], \"display_name\": \"old\", \"language\": \"python\"}}' > {folder}/jupyter/kernels/old/kernel.json"),
    Environment(name="this extension partly installed", fault="its server part is disabled", check="gpuperf_installed", prepare="mkdir -p {folder}/config; echo '{{\"ServerApp\": {{\"jpserver_extensions\": {{\"jupyter_gpuperf\": false}}}}}}' > {folder}/config/jupyter_server_config.json"),
    Environment(name="extension enabled but not installed", fault="nbdime enabled in the configuration", check="server_extensions", prepare="mkdir -p {folder}/config/jupyter_server_config.d; echo '{{\"ServerApp\": {{\"jpserver_extensions\": {{\"nbdime\": true}}}}}}' > {folder}/config/jupyter_server_config.d/nbdime.json"),
    Environment(name="extension for an older JupyterLab", fault="a prebuilt extension for JupyterLab 3", check="lab_extensions", prepare="mkdir -p {folder}/jupyter/labextensions/old; echo '{{\"name\": \"old\", \"version\": \"1.0.0\", \"dependencies\": {{\"@jupyterlab/application\": \"^3.0.0\"}}}}' > {folder}/jupyter/labextensions/old/package.json"),
    Environment(name="notebook: cuDNN turned off", fault="torch.backends.cudnn.enabled = False", check="cudnn_enabled", notebook=True, prepare="torch.backends.cudnn.enabled = False"),
    Environment(name="notebook: deterministic", fault="torch.use_deterministic_algorithms(True)", check="deterministic", notebook=True, prepare="torch.use_deterministic_algorithms(True)"),
    Environment(name="notebook: anomaly detection", fault="torch.autograd.set_detect_anomaly(True)", check="anomaly_detection", notebook=True, prepare="torch.autograd.set_detect_anomaly(True)"),
    Environment(name="notebook: TF32 turned off", fault="torch.backends.cudnn.allow_tf32 = False", check="tf32", notebook=True, prepare="torch.backends.cudnn.allow_tf32 = False"),
)  # fmt: skip


def examined(environment: Environment, folder: Path) -> dict[str, object]:
    """Create the environment, examine it, fix it, examine it again; return a row of results."""
    python = sys.executable
    variables = {
        **os.environ,
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
        **environment.variables,
    }
    kernel, site = "", Path()
    if environment.packages is not None:
        site = make_kernel(folder, environment.packages)
        kernel = "--kernel examined"
    places = {
        "folder": folder,
        "python": python,
        "kernel": kernel,
        "check": environment.check or "none",
        "site": site,
        "group": GROUP,
    }
    prepare = environment.prepare.format(**places)
    if environment.notebook:
        command = [python, "-c", NOTEBOOK.format(**places, prepare=prepare)]
    else:
        mend = environment.mend.format(**places)
        session = SESSION.format(**places, prepare=prepare, mend=mend)
        command = [*environment.around, "bash", "-c", session]
    subprocess.run(
        command,
        env=variables,
        cwd=folder,
        check=False,
        timeout=LONGEST_SECONDS,
        stdout=subprocess.DEVNULL,
    )
    before, after = (statuses(folder / f"{name}.json") for name in ("before", "after"))
    expected = {environment.check, *environment.also}
    return {
        "environment": environment.name,
        "fault": environment.fault,
        "check": environment.check,
        "before": before.get(environment.check, ""),
        "after": after.get(environment.check, ""),
        "false_alarms": sorted(
            name
            for name, status in before.items()
            if status in ("warn", "fail") and name not in expected
        ),
        "examined": bool(before and after),
    }


def make_kernel(folder: Path, packages: tuple[str, ...]) -> Path:
    """Create a virtual environment with these packages, and its kernel spec; return its site-packages folder."""
    env = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", env], check=True)
    ordinary = (
        [each for each in packages[: packages.index("--no-deps")]]
        if "--no-deps" in packages
        else list(packages)
    )
    alone = list(packages[len(ordinary) :])
    for group in filter(None, (ordinary, alone)):
        subprocess.run([env / "bin" / "python", "-m", "pip", "install", "-q", *group], check=True)
    spec = folder / "jupyter" / "kernels" / "examined"
    spec.mkdir(parents=True)
    about = {
        "argv": [str(env / "bin" / "python")],
        "display_name": "examined",
        "language": "python",
        "env": {},
    }
    (spec / "kernel.json").write_text(json.dumps(about))
    return next((env / "lib").glob("python*/site-packages"))


def statuses(path: Path) -> dict[str, str]:
    """Return a report's statuses by check; empty if the report was not written."""
    try:
        return {each["id"]: each["status"] for each in json.loads(path.read_text())["checks"]}
    except (OSError, ValueError):
        return {}


def clean_up(folder: Path) -> None:
    """Remove the folder, and the control group outside of it."""
    if GROUP.exists():
        GROUP.rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def rows(only: str) -> Iterator[dict[str, object]]:
    """Yield the results of each environment whose name contains ``only``."""
    for environment in ENVIRONMENTS:
        if only in environment.name:
            folder = Path(tempfile.mkdtemp(prefix="gpuperf-doctor-"))
            try:
                yield examined(environment, folder)
            finally:
                clean_up(folder)


def in_words(row: dict[str, object]) -> str:
    """Return a row of results as a row of the Markdown table."""
    found = f"`{row['check']}`: {row['before']}" if row["check"] else "–"
    mended = row["after"] if row["check"] else "–"
    alarms = ", ".join(f"`{name}`" for name in row["false_alarms"]) or "none"
    return f"| {row['environment']} | {row['fault']} | {found} | {mended} | {alarms} |"


def main() -> None:
    """Examine the chosen environments, print the results, and write the table if requested."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only environments whose name contains this")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="write the table between the marks in this page")
    options = parser.parse_args()
    found = []
    for row in rows(options.only):
        found.append(row)
        print(json.dumps(row) if options.json else in_words(row), flush=True)
    head = "| environment | planted | found | after the fix | false alarms |\n| --- | --- | --- | --- | --- |\n"
    if options.write:
        page = options.write.read_text()
        start, rest = page.split("<!-- table -->\n", 1)
        end = rest.split("<!-- end -->", 1)[1]
        table = head + "\n".join(map(in_words, found)) + "\n"
        options.write.write_text(f"{start}<!-- table -->\n{table}<!-- end -->{end}")
    missed = [
        row
        for row in found
        if row["check"] and (row["before"] not in ("warn", "fail") or row["after"] != "ok")
    ]
    alarms = [row for row in found if row["false_alarms"]]
    print(
        f"{len(found)} environments, {len(missed)} missed or not fixed, {len(alarms)} with false alarms",
        file=sys.stderr,
    )
    sys.exit(bool(missed or alarms))


if __name__ == "__main__":
    main()
