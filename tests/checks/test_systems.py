"""Systems and containers of many kinds: what is found on them, and commands that work there."""

from __future__ import annotations

import pytest
from machines import OF_A_GPU, WHEEL, machine_of

from jupyter_gpuperf.checks import CHECKS
from jupyter_gpuperf.checks.probes.limits import container_kind

NO_SMI = {"smi": (None, "", "nvidia-smi: No such file or directory")}
NO_CUDA = {"code": 100, "name": "CUDA_ERROR_NO_DEVICE", "count": 0}
NO_DRIVER = {"smi": (9, "NVIDIA-SMI has failed because", "")}
NO_GPU = dict.fromkeys(OF_A_GPU)
WSL = {
    **NO_GPU,
    "/dev/dxg": "",
    "/usr/lib/wsl/lib/nvidia-smi": "#!",
    "/usr/lib/wsl/lib/libcuda.so.1": "",
    "/proc/version": "Linux version 5.15.167.4-microsoft-standard-WSL2",
}
WSL_LINUX = {**WSL, "/usr/lib/x86_64-linux-gnu/libcuda.so.1": ""}
JETSON = {**NO_GPU, "/dev/nvgpu/igpu0/ctrl": ""}
UNLOADED = {"/proc/driver/nvidia/version": None}
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
OVERLAY = "22 1 0:5 / / rw - overlay overlay rw,lowerdir="
DEBIAN = {f"{WHEEL}/EXTERNALLY-MANAGED": ""}
NO_COMPILER = {"/usr/bin/gcc": None}
MISMATCH = (18, "Failed to initialize NVML: Driver/library version mismatch\nNVML library", "")


@pytest.mark.parametrize(
    ("name", "status", "found", "fix", "changes"),
    [
        ("gpu_present", "ok", "CUDA finds it", "", {"files": WSL, "programs": NO_SMI}),
        ("driver_loaded", "ok", "Windows has the driver", "", {"files": WSL, "programs": NO_SMI}),
        ("driver_versions", "unknown", "reports no version", "", {"files": WSL, "programs": NO_SMI}),
        ("driver_answers", "warn", "not in PATH", 'export PATH="$PATH":/usr/lib/wsl/lib', {"files": WSL, "programs": NO_SMI}),
        ("driver_for_torch", "ok", "the driver supports CUDA 13.0", "", {"files": WSL, "programs": NO_SMI}),
        ("torch_build", "fail", "without CUDA", "/whl/cu130", {"files": WSL, "programs": NO_SMI, "torch": {"version": "2.11+cpu", "cuda": None}}),
        ("cuda_starts", "fail", "on WSL: CUDA_ERROR_NO_DEVICE", "wsl.exe --shutdown", {"files": WSL, "cuda": NO_CUDA}),
        ("cuda_starts", "fail", "can't be loaded", 'LD_LIBRARY_PATH="/usr/lib/wsl/lib:', {"files": WSL, "cuda": {"missing": "libcuda.so.1"}}),
        ("cuda_starts", "fail", "hides that of Windows", "purge", {"files": WSL_LINUX, "cuda": NO_CUDA}),
        ("gpu_present", "warn", "no NVIDIA GPU", "", {"files": {**NO_GPU, "/dev/dxg": ""}, "programs": NO_SMI, "cuda": {"missing": "x"}, "torch": {"available": False}}),
        ("gpu_present", "warn", "WSL 1", "wsl.exe --set-version Debian 2", {"files": {**NO_GPU, "/proc/version": "Linux version 4.4.0-19041-Microsoft"}, "programs": NO_SMI, "torch": {"available": False}, "variables": {"WSL_DISTRO_NAME": "Debian"}}),
        ("gpu_present", "ok", "CUDA finds it", "", {"files": JETSON, "programs": NO_SMI}),
        ("driver_answers", "ok", "nvidia-smi is not installed", "", {"files": JETSON, "programs": NO_SMI}),
        ("gpu_present", "ok", "CUDA finds it", "", {"files": NO_GPU, "programs": NO_SMI}),  # only PyTorch shows it
        ("gpu_present", "unknown", "No NVIDIA GPU", "", {"files": NO_GPU, "programs": NO_SMI, "torch": {"cuda": None, "hip": "6.2"}}),
        ("driver_answers", "warn", "/usr/local/nvidia/bin, not in PATH", "export PATH", {"files": {"/usr/bin/nvidia-smi": None, "/usr/local/nvidia/bin/nvidia-smi": "#!"}}),
        ("driver_answers", "fail", "version mismatch", "sudo reboot", {"programs": {"smi": MISMATCH}}),
        ("driver_answers", "fail", "is missing", "pacman -Ss nvidia", {"files": {"/usr/bin/nvidia-smi": None, "/usr/bin/pacman": "#!"}, "programs": NO_SMI, "cuda": NO_CUDA, "torch": {"available": False}}),
        ("driver_loaded", "fail", "not loaded", "modprobe", {"files": {**UNLOADED, SECURE_BOOT: "\6\0\0\0\1"}, "programs": NO_DRIVER}),
        ("cuda_starts", "fail", "804", "compat.away", {"cuda": {"code": 804, "name": "X"}}),
        ("compiler", "warn", "no C compiler", "dnf install -y gcc gcc-c++", {"files": {**NO_COMPILER, "/usr/bin/dnf": "#!"}}),
        ("compiler", "warn", "no Python.h", "apk add python3-dev", {"files": {"/env/include/python3.12/Python.h": None, "/usr/bin/apk": "#!"}}),
        ("pandas_reader", "ok", "without", "pip install --break-system-packages pyarrow", {"packages": {"pyarrow": None}, "files": DEBIAN}),
        ("jupyter_versions", "warn", "4.4 or newer", "pip install --break-system-packages --upgrade jupyterlab", {"packages": {"jupyterlab": ("4.1.0", ())}, "files": DEBIAN}),
        ("pandas_reader", "ok", "without", "pip install pyarrow", {"packages": {"pyarrow": None}, "files": {**DEBIAN, "/env/pyvenv.cfg": ""}}),
    ],
)  # fmt: skip
def test_a_system_is_known_by_its_signs(run, name, status, found, fix, changes):
    outcome = run(name, **changes)
    assert outcome.status == status, outcome
    assert found in outcome.found
    assert fix in outcome.fix
    assert bool(fix) == bool(outcome.fix)


def test_secure_boot_and_another_driver_are_named(tmp_path, run):
    signed = run("driver_loaded", files={**UNLOADED, SECURE_BOOT: "\6\0\0\0\1"}, programs=NO_DRIVER)
    assert "Secure Boot" in signed.then
    files = {**UNLOADED, SECURE_BOOT: "\6\0\0\0\0", "/sys/bus/pci/drivers/nouveau/bind": ""}
    machine = machine_of(tmp_path / "other", files=files, programs=NO_DRIVER)
    check = next(each for each in CHECKS if each.name == "driver_loaded")
    assert "Secure Boot" not in check.run(machine).then
    link = tmp_path / "other/sys/bus/pci/devices/0000:8d:00.0/driver"
    link.symlink_to("../../drivers/nouveau")
    outcome = check.run(machine)
    assert "used by the driver nouveau" in outcome.found
    assert outcome.fix == "lspci -k -s 0000:8d:00.0"


@pytest.mark.parametrize(
    ("kind", "fix", "files", "variables"),
    [
        ("apptainer", "apptainer exec --nv", {}, {"APPTAINER_CONTAINER": "/x.sif"}),
        ("apptainer", "apptainer exec --nv", {"/.singularity.d/runscript": ""}, {}),
        ("enroot", "srun --gpus=1", {}, {"ENROOT_ROOTFS": "/x"}),
        ("lxc", "lxc config device add", {"/run/systemd/container": "lxc"}, {}),
        ("container", "docker run --gpus all", {"/run/systemd/container": "systemd-nspawn"}, {}),
        ("container", "docker run", {"/proc/7/mountinfo": f"{OVERLAY}/var/lib/containerd/x"}, {}),
        ("docker", "docker run", {"/proc/7/mountinfo": f"{OVERLAY}/var/lib/docker/overlay2"}, {}),
        ("podman", "podman run", {"/proc/7/mountinfo": f"{OVERLAY}/u/containers/storage/x"}, {}),
        ("podman", "podman run", {}, {"container": "podman"}),
        ("kubernetes", "nvidia.com/gpu: 1", {"/proc/1/cgroup": "0::/kubepods.slice/crio-1"}, {}),
        ("docker", "Colab: Runtime", {"/.dockerenv": ""}, {"COLAB_RELEASE_TAG": "release"}),
        ("docker", "Kaggle: Settings", {"/.dockerenv": ""}, {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}),
        ("docker", "ml.g5.xlarge", {"/.dockerenv": ""}, {"SAGEMAKER_APP_TYPE": "JupyterLab"}),
        ("lxc", "Databricks", {}, {"container": "lxc", "DATABRICKS_RUNTIME_VERSION": "15.4"}),
        (None, "", {"/proc/7/mountinfo": f"{OVERLAY}/media/root-ro"}, {}),  # a live system
        (None, "", {"/proc/1/cgroup": "0::/init.scope"}, {}),
    ],
)
def test_a_container_is_known_by_its_signs(run, make, kind, fix, files, variables):
    changes = {"files": {"/dev/nvidiactl": None, **files}, "variables": variables}
    assert container_kind(make(**changes)) == kind
    outcome = run("gpu_in_container", **changes)
    assert outcome.status == ("fail" if kind else "ok")
    assert fix in outcome.fix
    assert ("Container Toolkit" in outcome.then) == (" run " in outcome.fix)


GIB = 1 << 30
GROUP = "/sys/fs/cgroup"


@pytest.mark.parametrize(
    ("own", "files", "quota", "memory"),
    [
        ("3:cpu,cpuacct:/slurm/1\n4:memory:/slurm/1", {"cpu/slurm/cpu.cfs_quota_us": "150000", "cpu/slurm/cpu.cfs_period_us": "100000", "memory/slurm/1/memory.limit_in_bytes": str(8 * GIB), "memory/slurm/1/memory.usage_in_bytes": str(int(7.9 * GIB))}, "1.5 CPUs", "7.9 of 8.0 GiB"),
        ("3:cpuset,cpu,cpuacct:/x\n0::/x", {"cpu/x/cpu.cfs_quota_us": "50000", "cpu/x/cpu.cfs_period_us": "100000", "unified/x/cgroup.procs": ""}, "0.5 CPUs", "No limit"),
        ("0::/system.slice/a.service", {"system.slice/a.service/cpu.max": "250000 100000", "system.slice/memory.max": str(4 * GIB), "system.slice/memory.current": str(GIB)}, "2.5 CPUs", "1.0 of 4.0 GiB"),
        ("3:cpu,cpuacct:/x", {"cpu,cpuacct/x/cpu.cfs_quota_us": "50000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"}, "0.5 CPUs", "No limit"),
        ("0::/a:b", {"a:b/cpu.max": "250000 100000"}, "2.5 CPUs", "No limit"),
        ("0::/", {"cpu.max": "100000 0"}, "No quota", "No limit"),
        ("0::/", {"cpu.max": "0 100000"}, "No quota", "No limit"),
        ("nonsense", {"cpu.max": "max"}, "No quota", "No limit"),
    ],
)  # fmt: skip
def test_limits_are_those_of_the_processs_own_group_and_the_groups_above(
    run, own, files, quota, memory
):
    changes = {"files": {"/proc/7/cgroup": own, **{f"{GROUP}/{k}": v for k, v in files.items()}}}
    assert quota in run("cpu_quota", **changes).found
    assert memory in run("memory_limit", **changes).found
