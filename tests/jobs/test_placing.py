from __future__ import annotations

import os
import stat

import pytest
from job_tools import device

from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.jobs import posix
from jupyter_gpuperf.jobs.device_assignment import HOST_KEY, assign_device, lock_path

A, B = device("GPU-aaaa-1111"), device("GPU-bbbb-2222", 1)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, A.uuid),
        ("1", B.uuid),
        ("1,0", B.uuid),
        (B.uuid, B.uuid),
        ("GPU-bbbb", B.uuid),
        ("", None),
        ("-1", None),
    ],
)
def test_without_a_wish_it_is_the_first_device_that_cuda_would_show(visible, expected):
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assignment = assign_device(None, [A, B], environment)
    assert assignment.device == expected
    assert assignment.key == (expected or HOST_KEY)
    if expected:
        assert assignment.environment == {"CUDA_VISIBLE_DEVICES": expected}


def test_what_cuda_alone_understands_is_left_as_it_is():
    assignment = assign_device(None, [A], {"CUDA_VISIBLE_DEVICES": "MIG-1234"})
    assert (assignment.device, assignment.environment) == (None, {})
    assert assignment.key == "MIG-1234"


@pytest.mark.parametrize(("index", "device"), [("0", A), ("1", B)])
def test_a_device_may_be_named_by_its_index(index, device):
    assert assign_device(index, [A, B], {}) == assign_device(device.uuid, [A, B], {})


def test_a_recording_is_no_device_to_measure_on():
    recording = device("REPLAY-0", replayed=True)
    assert assign_device(None, [recording], {}).key == HOST_KEY
    with pytest.raises(BadRequest) as refusal:
        assign_device("REPLAY-0", [recording], {})
    assert refusal.value.code == "device_is_a_recording"


def test_an_unknown_device_is_refused_with_those_that_there_are():
    with pytest.raises(NotFound) as refusal:
        assign_device("GPU-zzzz", [A, B], {})
    assert refusal.value.code == "unknown_device"
    assert A.uuid in refusal.value.hint


def test_locks_are_for_all_users_of_the_machine(tmp_path):
    before = os.umask(0o077)
    try:
        path = lock_path("GPU-a/../b", tmp_path / "locks")
        held = posix.try_lock(path)
    finally:
        os.umask(before)
    assert path.parent == tmp_path / "locks"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o1777
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert posix.try_lock(path) is None
    os.close(held)
    again = posix.try_lock(path)
    assert again is not None
    os.close(again)


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path):
    path = lock_path("GPU-a", tmp_path / "locks")
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=r"symbolic links"):
        posix.try_lock(path)
    assert not (tmp_path / "precious").exists()


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "locks").write_text("")
    with pytest.raises(FileExistsError):
        lock_path("GPU-a", tmp_path / "locks")
