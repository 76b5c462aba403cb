"""Each check on a machine with a fault, and all of them on a healthy one."""

from __future__ import annotations

import shlex

import pytest
from machines import CUDA, GIB, JUPYTER, MODULE, TORCH, WHEEL, install, write

from jupyter_gpuperf.checks import CHECKS
from jupyter_gpuperf.checks.runner import examine

OLD_DRIVER = {"driver_version": "470.57.02"}
IN_DOCKER = {"/.dockerenv": ""}
SETTINGS = TORCH["settings"]
WITHOUT_DEVICE = {"/dev/nvidiactl": None, **IN_DOCKER}
NO_DRIVER = {"smi": (9, "NVIDIA-SMI has failed because", "")}
MISMATCH = (
    18,
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 575.51",
    "",
)

FAULTS = [
    # check, the fault, status, part of what is found, part of the fix
    ("gpu_present", {"programs": {"smi": (6, "No devices were found", "")}, "files": {f"/sys/bus/pci/devices/0000:8d:00.0/{each}": None for each in ("vendor", "class")}}, "fail", "reports no GPU", "dmesg"),
    ("driver_loaded", {"files": {"/proc/driver/nvidia/version": None}, "programs": NO_DRIVER}, "fail", "not loaded", "sudo modprobe nvidia"),
    ("driver_loaded", {"files": {"/proc/driver/nvidia/version": None, **IN_DOCKER}, "programs": NO_DRIVER}, "fail", "not loaded on the host", "sudo modprobe nvidia"),
    ("driver_versions", {"programs": {"smi": MISMATCH}}, "fail", "580.159.04, library 575.51:", "sudo reboot"),
    ("driver_answers", {"programs": {"smi": (9, "NVIDIA-SMI has failed because", "")}}, "fail", "NVIDIA-SMI has failed", "dmesg"),
    ("driver_answers", {"programs": {"smi": (None, "", "")}}, "fail", "did not respond", "dmesg"),
    ("driver_answers", {"programs": {"smi": (None, "", "")}, "files": {"/usr/bin/nvidia-smi": None, **IN_DOCKER}}, "fail", "driver's tools", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
    ("cuda_starts", {"cuda": {"code": 802, "name": "CUDA_ERROR_SYSTEM_NOT_READY"}}, "fail", "CUDA_ERROR_SYSTEM_NOT_READY (802)", "nvidia-fabricmanager"),
    ("cuda_starts", {"cuda": {"code": 999, "name": "CUDA_ERROR_UNKNOWN"}}, "fail", "999", "modprobe nvidia_uvm"),
    ("cuda_starts", {"cuda": {"missing": "libcuda.so.1: cannot open shared object file"}, "files": IN_DOCKER}, "fail", "libcuda.so.1", "docker run --gpus all"),
    ("torch_imports", {"torch": {"error": "ImportError: libcudnn.so.9"}}, "fail", "libcudnn.so.9", "/env/bin/python -m pip install --force-reinstall torch"),
    ("torch_imports", {"torch": {"error": "missing"}}, "warn", "not installed for /env/bin/python", "pip install torch --index-url https://download.pytorch.org/whl/cu130"),
    ("torch_imports", {"torch": {"error": "missing"}, "gpu": False}, "warn", "not installed", "/env/bin/python -m pip install torch"),
    ("gpu_present", {"gpu": False, "torch": {"error": "missing"}, "files": IN_DOCKER}, "warn", "no NVIDIA GPU", "docker run --gpus all"),
    ("torch_build", {"torch": {"version": "2.11.0+cpu", "cuda": None}}, "fail", "without CUDA", "/whl/cu130"),
    ("torch_build", {"torch": {"version": "2.11.0+cpu", "cuda": None}, "devices": [{"driver_version": "535.54.03"}]}, "fail", "without CUDA", "/whl/cu126"),
    ("driver_for_torch", {"devices": [OLD_DRIVER], "cuda": {"driver": "11.4", "code": 35}}, "fail", "580.65.06 or newer; this is 470.57.02", '"torch<2.8" --index-url https://download.pytorch.org/whl/cu118'),
    ("torch_sees_gpu", {"torch": {"available": False, "warnings": ["CUDA initialization: too old"]}}, "fail", "too old", "torch.zeros(1).cuda()"),
    ("compute_capability", {"torch": {"architectures": ["sm_50", "sm_60", "sm_70"]}}, "fail", "9.0", "/whl/cu130"),
    ("compute_capability", {"torch": {"architectures": ["sm_80", "compute_80"]}}, "warn", "compiles at start", "/whl/cu130"),
    ("compute_capability", {"torch": {"architectures": ["sm_90a"]}, "devices": [{"compute_cap": "12.0"}]}, "fail", "12.0", "torch"),
    ("built_on_torch", {"packages": {"torchvision": ("0.20.0", ("torch==2.5.0",))}}, "fail", "needs torch==2.5.0, found 2.11.0+cu130", "install --upgrade torchvision torch"),
    ("built_on_torch", {"failed": {"flash_attn_2_cuda": "undefined symbol: _ZN3c10"}}, "fail", "undefined symbol", "install --force-reinstall --no-deps --no-cache-dir --no-build-isolation flash-attn"),
    ("built_on_torch", {"failed": {"amp_C": "undefined symbol: _ZN3c10"}}, "fail", "undefined symbol", "git+https://github.com/NVIDIA/apex"),
    ("built_on_torch", {"failed": {"torchvision": "undefined symbol: _ZN3c10"}}, "fail", "undefined symbol", "install --force-reinstall --no-deps torchvision"),
    ("visible_devices", {"variables": {"CUDA_VISIBLE_DEVICES": "3"}}, "fail", "no device 3", "export CUDA_VISIBLE_DEVICES=0"),
    ("visible_devices", {"variables": {"CUDA_VISIBLE_DEVICES": ""}}, "fail", "hides all devices", "unset CUDA_VISIBLE_DEVICES"),
    ("visible_devices", {"variables": {"CUDA_VISIBLE_DEVICES": "0,0"}}, "fail", "twice", "=0"),
    ("mig", {"devices": [{"mig.mode.current": "Enabled"}], "programs": {"nvidia-smi -L": (0, "GPU 0: NVIDIA H100", "")}}, "fail", "without an instance", "nvidia-smi -i 0 -mig 0"),
    ("persistence", {"devices": [{"persistence_mode": "Disabled"}]}, "ok", "Off on GPU 0", "sudo nvidia-smi -pm 1"),
    ("memory_errors", {"devices": [{"ecc.errors.uncorrected.volatile.total": "3"}]}, "fail", "uncorrected memory errors since the driver was loaded: 3", "--gpu-reset -i 0"),
    ("pcie_link", {"devices": [{"pcie.link.width.current": "8"}]}, "warn", "8 of 16", "lspci"),
    ("pcie_link", {"devices": [{"pcie.link.gen.current": "3", "utilization.gpu": "40"}]}, "warn", "PCIe 3, but supports PCIe 5", "lspci"),
    ("power_limit", {"devices": [{"power.limit": "350.00"}]}, "warn", "350 W; the default is 700 W", "sudo nvidia-smi -i 0 -pl 700"),
    ("compute_mode", {"devices": [{"compute_mode": "Prohibited"}]}, "fail", "prohibits compute", "sudo nvidia-smi -i 0 -c DEFAULT"),
    ("busy", {"devices": [{"utilization.gpu": "97"}, {"index": "1"}]}, "ok", "GPU 0 is 97 % busy", "export CUDA_VISIBLE_DEVICES=1"),
    ("cuda_toolkits", {"variables": {"CUDA_HOME": "/usr/local/cuda-11.8"}}, "warn", "does not exist", "unset CUDA_HOME"),
    ("cuda_toolkits", {"variables": {"CUDA_HOME": "/usr/local/cuda-11.8"}, "files": {"/usr/local/cuda-11.8/bin/nvcc": "#!", "/usr/local/cuda/bin/nvcc": "#!"}}, "warn", "nvcc from /usr/local/cuda.", "export CUDA_HOME=/usr/local/cuda"),
    ("library_path", {"variables": {"LD_LIBRARY_PATH": "/opt/x:/usr/local/cuda/lib64/stubs"}}, "fail", "stubs", 'export LD_LIBRARY_PATH=/opt/x'),
    ("library_path", {"variables": {"LD_LIBRARY_PATH": "/opt/cudnn"}, "files": {"/opt/cudnn/libcudnn.so.8": ""}}, "warn", "libcudnn.so.8", "export LD_LIBRARY_PATH=''"),
    ("loaded_libraries", {"libraries": ["/usr/lib/libcudnn.so.8"]}, "warn", "libcudnn is loaded more than once", "unset LD_LIBRARY_PATH"),
    ("nvml_module", {"packages": {"pynvml": ("11.5.0", ())}}, "warn", "pynvml 11.5.0", "pip uninstall -y pynvml"),
    ("nvml_module", {"files": {"/home/jovyan/course/pynvml.py": ""}}, "warn", "/home/jovyan/course/pynvml.py", "mv /home/jovyan/course/pynvml.py"),
    ("cudnn_enabled", {"torch": {"settings": {**SETTINGS, "cudnn_enabled": False}}}, "fail", "without cuDNN", "torch.backends.cudnn.enabled = True"),
    ("cudnn_benchmark", {"torch": {"settings": {**SETTINGS, "cudnn_benchmark": True}}}, "ok", "takes memory", "benchmark = False"),
    ("deterministic", {"torch": {"settings": {**SETTINGS, "deterministic": True}}}, "warn", "use_deterministic_algorithms is on", "use_deterministic_algorithms(False)"),
    ("deterministic", {"torch": {"settings": {**SETTINGS, "cudnn_deterministic": True}}}, "warn", "cudnn.deterministic", "deterministic = False"),
    ("tf32", {"torch": {"settings": {**SETTINGS, "cudnn_tf32": False}}}, "warn", "allow_tf32 is False", "allow_tf32 = True"),
    ("tf32", {"variables": {"NVIDIA_TF32_OVERRIDE": "0"}}, "warn", "all libraries", "unset NVIDIA_TF32_OVERRIDE"),
    ("anomaly_detection", {"torch": {"settings": {**SETTINGS, "anomaly": True}}}, "warn", "every backward step", "set_detect_anomaly(False)"),
    ("launch_blocking", {"variables": {"CUDA_LAUNCH_BLOCKING": "1"}}, "fail", "waits for each GPU kernel", "unset CUDA_LAUNCH_BLOCKING"),
    ("debugging_variables", {"variables": {"NCCL_DEBUG": "info", "TORCH_USE_CUDA_DSA": "1"}}, "warn", "TORCH_USE_CUDA_DSA, NCCL_DEBUG", "unset TORCH_USE_CUDA_DSA NCCL_DEBUG"),
    ("allocator", {"variables": {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}}, "fail", "waits for the driver", "unset PYTORCH_NO_CUDA_MEMORY_CACHING"),
    ("allocator", {"live": {"reserved_bytes": 70 * GIB, "fragmented_bytes": 21 * GIB}}, "warn", "21.0 of 70.0 GiB", "export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"),
    ("allocator", {"live": {"reserved_bytes": 9 * GIB, "fragmented_bytes": 3 * GIB}, "variables": {"PYTORCH_ALLOC_CONF": "roundup_power2_divisions:4"}}, "warn", "3.0 of 9.0 GiB", "export PYTORCH_ALLOC_CONF=roundup_power2_divisions:4,expandable_segments:True"),
    ("allocator", {"variables": {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments=True"}}, "warn", "PyTorch rejects PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
    ("compile_caches", {"variables": {"CUDA_CACHE_DISABLE": "1"}}, "warn", "recompiles", "unset CUDA_CACHE_DISABLE"),
    ("compile_caches", {"variables": {"TORCHINDUCTOR_CACHE_DIR": "/nfs/cache"}, "files": {"/nfs/cache/x": "", "/proc/7/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /nfs rw - nfs4 s:/ rw"}}, "warn", "nfs4", "export TORCHINDUCTOR_CACHE_DIR="),
    ("gpu_in_container", {"files": WITHOUT_DEVICE}, "fail", "no access", "docker run --gpus all"),
    ("gpu_in_container", {"files": WITHOUT_DEVICE, "variables": {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}}, "fail", "no access", "nvidia.com/gpu: 1"),
    ("shared_memory", {"rooms": {"/dev/shm": (64 << 20, 64 << 20)}, "files": IN_DOCKER}, "fail", "64 MiB", "docker run --shm-size=8g"),
    ("shared_memory", {"rooms": {"/dev/shm": (512 << 20, 512 << 20)}}, "warn", "512 MiB", "mount -o remount,size=8G"),
    ("shared_memory", {"rooms": {"/dev/shm": (8 * GIB, 1 << 20)}}, "warn", "1 of 8192 MiB", "ls -lS /dev/shm"),
    ("locked_memory", {"files": {"/proc/7/limits": "Max locked memory         8388608              8388608              bytes", "/dev/infiniband/uverbs0": "", **IN_DOCKER}}, "warn", "8 MiB", "--ulimit memlock=-1"),
    ("open_files", {"files": {"/proc/7/limits": "Max open files            256                  4096                 files"}}, "warn", "256 open files", "ulimit -n 4096"),
    ("cpu_quota", {"files": {"/sys/fs/cgroup/cpu.max": "400000 100000"}}, "warn", "4 CPUs, but Python counts 16", "export OMP_NUM_THREADS=4"),
    ("cpu_quota", {"files": {"/proc/7/cgroup": "0::/user.slice/a.scope", "/sys/fs/cgroup/user.slice/cpu.max": "200000 100000", "/sys/fs/cgroup/user.slice/a.scope/cpu.max": "max 100000"}}, "warn", "2 CPUs", "OMP_NUM_THREADS=2"),
    ("memory_limit", {"files": {"/sys/fs/cgroup/memory.max": str(8 * GIB), "/sys/fs/cgroup/memory.current": str(int(7.8 * GIB)), "/sys/fs/cgroup/memory.stat": "inactive_file 0"}}, "warn", "7.8 of 8.0 GiB", "ps -eo"),
    ("numa", {"files": {"/proc/7/status": "Cpus_allowed_list:\t0-7"}}, "warn", "node 1", "numactl --cpunodebind=1 --membind=1"),
    ("cpu_governor", {"files": {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "acpi-cpufreq"}}, "warn", "lowest clock", "echo performance"),
    ("hugepages", {"files": {"/sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]"}}, "ok", "never", "echo madvise"),
    ("swap", {"files": {"/proc/7/status": "VmSwap:\t1048576 kB\nCpus_allowed_list:\t0-15"}}, "warn", "1024 MiB of this process", "ps -eo"),
    ("swap", {"files": {"/proc/pressure/memory": "some avg10=40.00 avg60=35.10 avg300=0.00 total=0"}}, "warn", "35 %", "ps -eo"),
    ("clock_source", {"files": {"/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet"}}, "warn", "hpet", "available_clocksource"),
    ("working_folder", {"rooms": {"/home/jovyan/course": (500 * GIB, 1 << 20)}}, "fail", "can't be saved", "df -h /home/jovyan/course"),
    ("working_folder", {"rooms": {"/home/jovyan/course": (500 * GIB, 200 << 20)}}, "warn", "may not fit", "df -h /home/jovyan/course"),
    ("working_folder", {"files": {"/proc/7/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /home/jovyan rw - fuse.sshfs x: rw"}}, "warn", "fuse.sshfs", "cp -r"),
    ("temporary_folder", {"rooms": {"/tmp": (GIB, 100 << 20)}}, "warn", "100 MiB", "df -h /tmp"),
    ("temporary_folder", {"variables": {"TMPDIR": "/gone"}}, "fail", "/gone does not exist", "mkdir -p -m 1777 /gone"),
    ("dependencies", {"packages": {"numpy": ("1.24.0", ())}}, "warn", "needs numpy>=2, found 1.24.0", '"numpy>=2"'),
    ("opencv", {"packages": {"opencv-python": ("4.12.0.88", ())}}, "warn", "opencv-python, opencv-python-headless write", "pip install opencv-python-headless"),
    ("opencv", {"packages": {"opencv-python": ("4.12.0.88", ()), "opencv-python-headless": None}, "programs": {"ldconfig -p": (0, "libc.so.6", "")}}, "fail", "libGL.so.1", "pip install opencv-python-headless"),
    ("pillow", {"packages": {"Pillow-SIMD": ("9.5.0", ())}}, "warn", "Pillow-SIMD 9.5.0", "pip install pillow"),
    ("pandas_reader", {"packages": {"pyarrow": None}}, "ok", "without pyarrow", "pip install pyarrow"),
    ("compiler", {"files": {"/usr/bin/gcc": None}}, "warn", "no C compiler", "apt-get install -y gcc"),
    ("compiler", {"files": {"/env/include/python3.12/Python.h": None}}, "warn", "no Python.h", "apt-get install -y python3.12-dev"),
    ("thread_counts", {"variables": {"OMP_NUM_THREADS": "64"}}, "warn", "has 16 CPUs", "export OMP_NUM_THREADS=16"),
    ("thread_counts", {"variables": {"MKL_NUM_THREADS": "many"}}, "warn", "not a number", "unset MKL_NUM_THREADS"),
    ("blas", {"numpy": {"version": "2.4.6", "blas": "none"}}, "warn", "one core", "--only-binary=:all: numpy"),
    ("blas", {"numpy": {"error": "ImportError: libopenblas"}}, "warn", "libopenblas", "--force-reinstall numpy"),
    ("openmp_runtimes", {"libraries": ["/env/lib/libiomp5.so"]}, "warn", "libiomp5.so", "MKL_THREADING_LAYER=GNU"),
    ("openmp_runtimes", {"variables": {"KMP_DUPLICATE_LIB_OK": "TRUE"}}, "warn", "may be wrong", "unset KMP_DUPLICATE_LIB_OK"),
    ("pinned_threads", {"variables": {"OMP_PROC_BIND": "close"}}, "warn", "OMP_PROC_BIND", "unset OMP_PROC_BIND"),
    ("pinned_threads", {"variables": {"KMP_AFFINITY": "granularity=fine,verbose,compact,1,0"}, "libraries": ["/env/lib/libiomp5.so"]}, "warn", "KMP_AFFINITY", "unset KMP_AFFINITY"),
    ("jupyter_versions", {"packages": {"jupyterlab": ("4.1.0", ())}}, "warn", "4.4 or newer", "install --upgrade jupyterlab"),
    ("jupyter_versions", {"packages": {"jupyter-server": ("2.14.0", ())}}, "warn", "known vulnerabilities", "jupyter_server>=2.18"),
    ("gpuperf_installed", {"extensions": {"jupyter-gpuperf": None}}, "fail", "not the panel", "install --force-reinstall --no-deps jupyter_gpuperf"),
    ("gpuperf_installed", {"files": {"/home/jovyan/.jupyter/jupyter_server_config.json": '{"ServerApp": {"jpserver_extensions": {"jupyter_gpuperf": false}}}'}}, "fail", "disabled", "/home/jovyan/.jupyter/jupyter_server_config.json"),
    ("gpuperf_installed", {"files": {"/home/jovyan/.jupyter/labconfig/page_config.json": '{"disabledExtensions": {"jupyter-gpuperf": true}}'}}, "fail", "disabled in JupyterLab", "jupyter labextension enable --level=user jupyter-gpuperf"),
    ("gpuperf_installed", {"packages": {"jupyter-gpuperf": ("0.2.0", ())}}, "warn", "0.2.0, the panel 0.1.0", "force-reinstall"),
    ("lab_extensions", {"extensions": {"@old/git": {"version": "0.30.0", "dependencies": {"@jupyterlab/application": "^3.0.0"}}}}, "warn", "supports JupyterLab ^3.0.0", "jupyter labextension disable --level=user @old/git"),
    ("server_extensions", {"files": {"/home/jovyan/.jupyter/jupyter_server_config.d/nbdime.json": '{"ServerApp": {"jpserver_extensions": {"nbdime": true}}}'}}, "warn", "nbdime is enabled but not installed", "nbdime.json"),
    ("kernel_specs", {"files": {f"{JUPYTER}/kernels/old/kernel.json": '{"argv": ["/gone/bin/python"]}'}}, "warn", "/gone/bin/python", "jupyter kernelspec remove -f old"),
    ("widgets", {"extensions": {"@jupyter-widgets/jupyterlab-manager": None}}, "warn", "its JupyterLab extension is missing", "jupyterlab_widgets"),
    ("widgets", {"packages": {"ipywidgets": ("7.7.1", ())}}, "warn", "needs version 3 of its JupyterLab extension, not 5.0.15", "--upgrade ipywidgets"),
    ("matplotlib_widget", {"extensions": {"jupyter-matplotlib": None}}, "warn", "shows nothing", "ipympl"),
    ("matplotlib_widget", {"packages": {"ipympl": None}}, "ok", "static", "pip install ipympl"),
    ("retina_figures", {}, "ok", "Single resolution", "/home/jovyan/.ipython/profile_default/ipython_kernel_config.py"),
    ("shell_start", {"variables": {"SHELL": "/bin/zsh"}, "files": {"/home/jovyan/.zshrc": "plugins=(git docker kubectl)\nsource $ZSH/oh-my-zsh.sh"}}, "ok", "oh-my-zsh, 3 plugins", "time zsh -i -c exit"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "status", "found", "fix"), FAULTS)
def test_a_fault_is_found_and_the_fix_fits_it(run, name, changes, status, found, fix):
    outcome = run(name, **changes)
    assert outcome.status == status, outcome
    assert found in outcome.found
    assert fix in outcome.fix


def test_a_healthy_machine_has_no_warnings_and_nothing_unknown(make):
    findings = examine(make(), CHECKS)["checks"]
    wrong = [(each["id"], each["found"]) for each in findings if each["status"] in ("warn", "fail")]
    assert wrong == []
    assert [each["id"] for each in findings if each["status"] == "unknown"] == []


def problems(machine):
    findings = examine(machine, CHECKS)["checks"]
    return [each["id"] for each in findings if each["status"] in ("warn", "fail")]


def test_without_a_gpu_only_that_stands_out(make):
    assert problems(make(gpu=False, torch={"cuda": None, "available": False})) == ["gpu_present"]


def test_in_an_empty_environment_only_the_missing_gpu_and_torch_stand_out(make):
    """Neither torch nor numpy, and an unknown server."""
    machine = make(gpu=False, packages=dict.fromkeys(("torch", "numpy", "opencv-python-headless", "pandas", "matplotlib", "ipympl", "ipywidgets")), numpy={"error": "missing"}, torch={"error": "missing"}, server={})  # fmt: skip
    assert problems(machine) == ["gpu_present", "torch_imports"]


def test_a_server_without_torch_is_no_problem_if_kernels_have_their_own_python(make):
    spec = {"/env/share/jupyter/kernels/other/kernel.json": '{"argv": ["/other/bin/python"]}'}
    machine = make(torch={"error": "missing"}, files={**spec, "/other/bin/python": "#!"})
    assert problems(machine) == []
    machine.kernel_name = "python3"
    assert "torch_imports" in problems(machine)


def test_every_check_has_a_fault_here():
    elsewhere = {"duplicate_packages", "output_limit", "pip_cache"}
    assert {check.name for check in CHECKS} == {name for name, *_ in FAULTS} | elsewhere


def test_a_duplicate_package_is_found(make, tmp_path):
    machine = make()
    install(tmp_path / "root", "numpy", "1.26.0")
    outcome = next(each for each in CHECKS if each.name == "duplicate_packages").run(machine)
    assert outcome.status == "warn"
    assert "Several versions of numpy" in outcome.found
    assert "numpy-1.26.0.dist-info" in outcome.fix


def test_of_several_copies_the_ones_beside_each_other_are_removed(make, tmp_path):
    """The first copy that Python finds has another version beside it, and a third is elsewhere."""
    other = "/home/jovyan/.local/lib"
    machine = make()
    install(tmp_path / "root", "numpy", "1.25.0", folder=other)
    install(tmp_path / "root", "numpy", "1.24.0", folder=other)
    check = next(each for each in CHECKS if each.name == "duplicate_packages")
    machine.package_folders = [other, WHEEL]
    outcome = check.run(machine)
    assert f"are in {other}" in outcome.found
    assert "numpy-2.4.6" not in outcome.fix
    machine = make()
    machine.package_folders = [WHEEL, other]
    assert f"Python uses the one in {WHEEL}" in check.run(machine).found


def test_an_extension_whose_version_is_unknown_is_not_said_to_be_wrong(run):
    extensions = {"@jupyter-widgets/jupyterlab-manager": {}}
    assert run("widgets", extensions=extensions).status in ("unknown", "warn")
    extensions = {"@jupyter-widgets/jupyterlab-manager": {"name": "x"}}
    outcome = run("widgets", extensions=extensions)
    assert (outcome.status, "not ." in outcome.found) == ("unknown", False)


def test_an_empty_temporary_folder_means_the_usual_one(run):
    assert "/tmp/torchinductor_jovyan" in run("compile_caches", variables={"TMPDIR": ""}).found


def test_leftovers_of_an_interrupted_installation_are_found(run):
    outcome = run("duplicate_packages", files={f"{WHEEL}/~umpy/__init__.py": ""})
    assert (outcome.status, outcome.fix) == ("warn", f"rm -r '{WHEEL}/~umpy'")


@pytest.mark.parametrize("name", ["~ $(reboot)", "~;reboot", "~'`reboot`"])
def test_a_folders_name_is_one_word_of_the_command_that_fixes_it(run, name):
    fix = run("duplicate_packages", files={f"{WHEEL}/{name}/__init__.py": ""}).fix
    assert shlex.split(fix) == ["rm", "-r", f"{WHEEL}/{name}"]


def test_a_low_output_limit_is_found(make):
    machine = make()
    machine.server = {**machine.server, "output_bytes_per_second": 1000.0}
    outcome = next(each for each in CHECKS if each.name == "output_limit").run(machine)
    assert outcome.status == "warn"
    assert "iopub_data_rate_limit=1000000" in outcome.fix


def test_a_large_pip_cache_is_a_problem_on_a_nearly_full_disk(make, tmp_path):
    machine = make(rooms={"/home/jovyan/.cache/pip": (100 * GIB, 2 * GIB)})
    big = tmp_path / "root/home/jovyan/.cache/pip/wheel"
    write(big, "")
    with big.open("r+b") as file:
        file.truncate(3 * GIB)  # sparse: it takes no room
    outcome = next(each for each in CHECKS if each.name == "pip_cache").run(machine)
    assert outcome.status == "warn"
    assert outcome.fix == "/env/bin/python -m pip cache purge"


# --- no false alarms ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        # PyTorch with CUDA 13.0 on a driver for 12.9: no; with CUDA 12.9 on a driver for 12.4: yes.
        ("driver_for_torch", {"torch": {"cuda": "12.9"}, "devices": [{"driver_version": "550.54.14"}], "cuda": {"driver": "12.4"}}),
        ("compute_capability", {"torch": {"architectures": ["sm_80", "sm_90"]}, "devices": [{"compute_cap": "8.9"}]}),
        ("visible_devices", {"variables": {"CUDA_VISIBLE_DEVICES": "GPU-12ab34cd"}}),
        ("pcie_link", {"devices": [{"pcie.link.gen.current": "1", "pstate": "P8"}]}),
        ("power_limit", {"devices": [{"power.limit": "[N/A]"}]}),
        ("memory_errors", {"devices": [{"ecc.errors.uncorrected.volatile.total": "[N/A]"}]}),
        ("cuda_toolkits", {"variables": {"CUDA_HOME": "/usr/local/cuda"}, "files": {"/usr/local/cuda/bin/nvcc": "#!"}}),
        ("library_path", {"variables": {"LD_LIBRARY_PATH": "/opt/lib"}, "files": {"/opt/lib/libfoo.so": ""}}),
        ("nvml_module", {"packages": {"pynvml": ("12.0.0", ("nvidia-ml-py",))}}),
        ("debugging_variables", {"variables": {"NCCL_DEBUG": "WARN", "TORCH_USE_CUDA_DSA": "0"}}),
        ("allocator", {"variables": {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True,roundup_power2_divisions:[256:1,512:2]"}}),
        ("allocator", {"live": {"reserved_bytes": 70 * GIB, "fragmented_bytes": 2 * GIB}}),
        ("cpu_quota", {"files": {"/sys/fs/cgroup/cpu.max": "400000 100000"}, "variables": {"OMP_NUM_THREADS": "4"}}),
        ("locked_memory", {"files": {"/proc/7/limits": "Max locked memory         65536                65536                bytes"}}),
        ("pinned_threads", {"variables": {"KMP_AFFINITY": "granularity=fine,compact,1,0"}}),
        ("openmp_runtimes", {"libraries": ["/env/lib/sklearn.libs/libgomp-12345678.so.1"]}),
        ("working_folder", {"files": {"/proc/7/mountinfo": "22 1 0:5 / / rw - nfs4 s:/ rw"}}),
        ("dependencies", {"packages": {"x": ("1.0", ('y>=2; extra == "test"', 'z; python_version < "3"'))}}),
        ("lab_extensions", {"extensions": {"a": {"version": "1", "dependencies": {"@jupyterlab/application": ">=3.0.0"}}}}),
        ("lab_extensions", {"extensions": {"a": {"version": "1", "dependencies": {"@jupyterlab/application": "^3.0.0"}}}, "files": {"/home/jovyan/.jupyter/labconfig/page_config.json": '{"disabledExtensions": {"a": true}}'}}),
        ("gpu_in_container", {"files": IN_DOCKER}),
    ],
)  # fmt: skip
def test_there_is_no_false_alarm(run, name, changes):
    outcome = run(name, **changes)
    assert outcome.status in ("ok", "unknown"), outcome


def test_a_driver_of_an_older_cuda_major_version_fails(run):
    changes = {"devices": [{"driver_version": "575.51.03"}], "cuda": {**CUDA, "driver": "12.9"}}
    outcome = run("driver_for_torch", **changes, torch={"cuda": "13.0"})
    assert outcome.status == "fail"
    assert outcome.fix.endswith("/whl/cu126")


def test_a_blackwell_gpu_gets_wheels_built_for_it(run):
    device = {"driver_version": "570.86.15", "compute_cap": "12.0", "name": "NVIDIA RTX 5090"}
    outcome = run("compute_capability", devices=[device], torch={"architectures": ["sm_90"]})
    assert outcome.fix.endswith("/whl/cu128")


def test_a_kernels_own_torch_is_examined_without_an_import(make):
    live_torch = {**TORCH, "initialized": True, "settings": {**SETTINGS, "cudnn_enabled": False}}
    machine = make(live={"torch": live_torch})
    by_name = {check.name: check.run(machine) for check in CHECKS}
    assert by_name["cudnn_enabled"].status == "fail"
    assert by_name["torch_sees_gpu"].status == "ok"


def test_without_pip_the_fix_uses_uv(make):
    machine = make(files={f"{WHEEL}/pip/__init__.py": None}, packages={"pandas": ("3.0.0", ()), "pyarrow": None})  # fmt: skip
    outcome = next(each for each in CHECKS if each.name == "pandas_reader").run(machine)
    assert outcome.fix == "uv pip install --python /env/bin/python pyarrow"


def test_the_kernel_modules_version_is_read_from_old_and_new_drivers(run):
    old = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13"
    assert "580.159.04" in run("driver_loaded", files={"/proc/driver/nvidia/version": MODULE}).found
    assert "470.57.02" in run("driver_loaded", files={"/proc/driver/nvidia/version": old}).found
