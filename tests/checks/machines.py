"""A machine made of files, variables and recorded output of programs."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_gpuperf.checks.probes import gpus
from jupyter_gpuperf.checks.probes.machine import CommandResult, DiskSpace, Machine

GIB = 1 << 30
HEALTHY_H100 = {
    "index": "0",
    "uuid": "GPU-12ab34cd-1111-2222-3333-444455556666",
    "name": "NVIDIA H100 80GB HBM3",
    "driver_version": "580.159.04",
    "pci.bus_id": "00000000:8D:00.0",
    "compute_cap": "9.0",
    "pstate": "P0",
    "persistence_mode": "Enabled",
    "ecc.errors.uncorrected.volatile.total": "0",
    "pcie.link.gen.current": "5",
    "pcie.link.gen.max": "5",
    "pcie.link.width.current": "16",
    "pcie.link.width.max": "16",
    "power.limit": "700.00",
    "power.default_limit": "700.00",
    "mig.mode.current": "Disabled",
    "compute_mode": "Default",
    "utilization.gpu": "0",
}
TORCH = {
    "version": "2.11.0+cu130",
    "cuda": "13.0",
    "hip": None,
    "architectures": ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"],
    "settings": {
        "cudnn_enabled": True,
        "cudnn_benchmark": False,
        "cudnn_deterministic": False,
        "cudnn_tf32": True,
        "matmul_tf32": False,
        "deterministic": False,
        "anomaly": False,
    },
    "available": True,
    "count": 1,
    "seconds": 2.0,
    "warnings": [],
}
NUMPY = {"version": "2.4.6", "blas": "scipy-openblas", "seconds": 0.2, "warnings": []}
WHEEL = "/env/lib/python3.12/site-packages"
LIBRARIES = [
    f"{WHEEL}/nvidia/cu13/lib/libcudart.so.13",
    f"{WHEEL}/nvidia/cudnn/lib/libcudnn.so.9",
    f"{WHEEL}/torch/lib/libgomp-a34b3233.so.1",
]
CUDA = {"driver": "13.0", "code": 0, "name": "CUDA_SUCCESS", "count": 1}
MODULE = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build"
BUS = {
    "/sys/bus/pci/devices/0000:8d:00.0/vendor": "0x10de",
    "/sys/bus/pci/devices/0000:8d:00.0/class": "0x030200",
    "/sys/bus/pci/devices/0000:8d:00.0/numa_node": "1",
    "/sys/bus/pci/devices/0000:8d:00.0/local_cpulist": "8-15",
}
FILES = {
    **BUS,
    "/proc/driver/nvidia/version": MODULE,
    "/dev/nvidiactl": "",
    "/proc/7/status": "Name:\tpython\nVmSwap:\t0 kB\nCpus_allowed_list:\t0-15",
    "/proc/7/limits": (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1048576              1048576              files     \n"
        "Max locked memory         unlimited            unlimited            bytes     "
    ),
    "/proc/7/cgroup": "0::/",
    "/proc/7/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
    "/proc/meminfo": "MemTotal: 131072000 kB\nSwapTotal: 8388608 kB\nSwapFree: 8388608 kB",
    "/proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0",
    "/sys/devices/system/node/node0/cpulist": "0-7",
    "/sys/devices/system/node/node1/cpulist": "8-15",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "intel_pstate",
    "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "/env/include/python3.12/Python.h": "",
    "/usr/bin/gcc": "#!",
    "/usr/bin/nvidia-smi": "#!",
    "/home/jovyan/course/train.ipynb": "{}",
    "/home/jovyan/.bashrc": "alias ll='ls -l'",
    "/tmp/here": "",
    f"{WHEEL}/pip/__init__.py": "",
}
PACKAGES = {
    "torch": ("2.11.0+cu130", ()),
    "numpy": ("2.4.6", ()),
    "nvidia-ml-py": ("13.615.71", ()),
    "nvidia-cudnn-cu13": ("9.15", ()),
    "opencv-python-headless": ("4.12.0.88", ("numpy>=2",)),
    "pillow": ("12.0.0", ()),
    "pandas": ("3.0.0", ("numpy>=1.26",)),
    "pyarrow": ("22.0.0", ()),
    "ipywidgets": ("8.1.7", ()),
    "matplotlib": ("3.10.0", ("numpy>=1.23",)),
    "ipympl": ("0.9.7", ("matplotlib<4,>=3.5",)),
    "matplotlib-inline": ("0.2.1", ()),
    "jupyterlab": ("4.4.9", ()),
    "jupyter-server": ("2.18.0", ()),
    "jupyter-gpuperf": ("0.1.0", ()),
}
JUPYTER = "/env/share/jupyter"
LAB_EXTENSIONS = {
    "jupyter-gpuperf": {"version": "0.1.0", "dependencies": {"@jupyterlab/application": "^4.4.0"}},
    "@jupyter-widgets/jupyterlab-manager": {
        "version": "5.0.15",
        "dependencies": {"@jupyterlab/application": "^3.0.0 || ^4.0.0"},
    },
    "jupyter-matplotlib": {
        "version": "0.11.7",
        "dependencies": {"@jupyterlab/application": "^4.0.0"},
    },
}
ENABLED = '{"ServerApp": {"jpserver_extensions": {"jupyter_gpuperf": true}}}'
SERVER_FILES = {
    "/env/etc/jupyter/jupyter_server_config.d/jupyter_gpuperf.json": ENABLED,
    f"{JUPYTER}/kernels/python3/kernel.json": '{"argv": ["python", "-m", "ipykernel_launcher"]}',
    f"{WHEEL}/jupyter_gpuperf/__init__.py": "",
}
SERVER = {
    "interpreter": "/env/bin/python",
    "prefix": "/env",
    "packages": [WHEEL],
    "config_path": ["/home/jovyan/.jupyter", "/env/etc/jupyter"],
    "data_path": ["/home/jovyan/.local/share/jupyter", JUPYTER],
    "output_bytes_per_second": 1e6,
}
OF_A_GPU = (*BUS, "/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/bin/nvidia-smi")


def machine_of(
    root: Path,
    *,
    files=None,
    variables=None,
    rooms=None,
    packages=None,
    server=None,
    live=None,
    **faults,
) -> Machine:
    """Return a healthy machine with one H100, and these changes; ``None`` removes something."""
    write_files(root, files or {}, faults)
    for name, metadata in {**PACKAGES, **(packages or {})}.items():
        if metadata is not None:
            install(root, name, *metadata)
    outputs = outputs_with(faults)
    all_rooms = {"/dev/shm": (64 * GIB, 64 * GIB), **(rooms or {})}
    environment = {"PATH": "/usr/local/cuda/bin:/usr/bin", "USER": "jovyan", "SHELL": "/bin/bash"}
    return Machine(
        root=root,
        environment={**environment, **(variables or {})},
        run_command=lambda command, _seconds, _environment: ran(outputs, command),
        disk_space_of=lambda path: disk_space(root, path, all_rooms),
        interpreter="/env/bin/python",
        package_folders=[WHEEL],
        headers="/env/include/python3.12",
        pid=7,
        cpu_count=16,
        folder="/home/jovyan/course",
        home="/home/jovyan",
        live=live or {},
        server=SERVER if server is None else server,
    )


def write_files(root: Path, changed, faults) -> None:
    """Write the machine's files and JupyterLab extensions."""
    files = {**FILES, **SERVER_FILES}
    if not faults.get("gpu", True):
        files |= dict.fromkeys(OF_A_GPU)
    for name, package in {**LAB_EXTENSIONS, **faults.get("extensions", {})}.items():
        place = f"{JUPYTER}/labextensions/{name}/package.json"
        files[place] = None if package is None else json.dumps(package)
    for name, text in {**files, **changed}.items():
        if text is not None:
            write(root / name.lstrip("/"), text)


def outputs_with(faults):
    """Return the output of each program."""
    rows = [{**HEALTHY_H100, **each}.values() for each in faults.get("devices", [{}])]
    smi = (0, "\n".join(", ".join(row) for row in rows), "")
    return {
        "smi": smi
        if faults.get("gpu", True)
        else (None, "", "nvidia-smi: No such file or directory"),
        "cuda": {**CUDA, **faults.get("cuda", {})},
        "imports": {
            "numpy": faults.get("numpy", NUMPY),
            "torch": {**TORCH, **faults.get("torch", {})},
            "libraries": LIBRARIES + faults.get("libraries", []),
            "built_on_torch": faults.get("failed", {}),
        },
        **faults.get("programs", {}),
    }


def ran(outputs, command) -> CommandResult:
    """Return how a program ended."""
    words = " ".join(command)
    if "--query-gpu" in words:
        return CommandResult(*outputs["smi"])
    if words.endswith(gpus.CUDA_PROBE):
        return CommandResult(0, json.dumps(outputs["cuda"]), "")
    if "imports_probe" in words:
        imports = outputs["imports"]
        return (
            CommandResult(0, json.dumps(imports), "")
            if isinstance(imports, dict)
            else CommandResult(*imports)
        )
    return CommandResult(
        *outputs.get(words, (None, "", f"{command[0]}: No such file or directory"))
    )


def disk_space(root: Path, path: Path, rooms: dict[str, tuple[int, int]]) -> DiskSpace | None:
    """Return the room of a folder; ``None`` if it does not exist."""
    name = f"/{path.relative_to(root)}"
    if name in rooms:
        return DiskSpace(*rooms[name])
    return DiskSpace(500 * GIB, 200 * GIB) if path.exists() else None


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if text.startswith("#!"):
        path.chmod(0o755)


def install(root: Path, name: str, version: str, requires=(), folder: str = WHEEL) -> None:
    """Write a distribution's metadata."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {each}" for each in requires]
    place = root / folder.lstrip("/") / f"{name.replace('-', '_')}-{version}.dist-info"
    write(place / "METADATA", "\n".join([*lines, "", "The description."]))
