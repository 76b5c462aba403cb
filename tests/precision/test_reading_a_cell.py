"""What is read from a cell's source: what it would do again, and how it looks for a mode."""

from __future__ import annotations

import ast

import pytest
import torch

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.precision.effects import names_mentioned, side_effect_warnings
from jupyter_gpuperf.precision.kernels import kind_of, time_shares
from jupyter_gpuperf.precision.rewriting import forward_call_test, rewrite_cell

CELL = """\
for inputs, targets in batches:
    inputs = inputs.to("cuda")
    optimizer.zero_grad()
    # the forward pass
    outputs = model(inputs)
    loss = criterion(outputs, targets)
    loss.backward()
    optimizer.step()
    scheduler.step()
"""


def rewritten(mode, source=CELL, **options):
    namespace = {"model": torch.nn.Linear(1, 1), "criterion": torch.nn.MSELoss()}
    is_forward = forward_call_test(namespace, torch)
    return rewrite_cell(source, mode, "cuda", is_forward=is_forward, **options)


def test_for_bf16_the_forward_pass_alone_is_inside_of_autocast():
    assert rewritten("bf16").splitlines()[2:] == [
        "for inputs, targets in batches:",
        '    inputs = inputs.to("cuda")',
        "    optimizer.zero_grad()",
        "    # the forward pass",
        '    with torch.autocast("cuda", dtype=torch.bfloat16):',
        "        outputs = model(inputs)",
        "        loss = criterion(outputs, targets)",
        "    loss.backward()",
        "    optimizer.step()",
        "    scheduler.step()",
    ]


def test_for_fp16_a_scaler_is_made_once_and_the_scheduler_is_left_alone():
    code = rewritten("fp16")
    assert code.index("scaler = torch.amp.GradScaler") < code.index("for inputs")
    assert (
        "    scaler.scale(loss).backward()\n    scaler.step(optimizer)\n    scaler.update()\n"
        in code
    )
    assert "scheduler.step()" in code.splitlines()[-1]


def test_a_scaler_of_the_cells_own_stays():
    source = CELL.replace("loss.backward()", "scaler.scale(loss).backward()")
    code = rewritten("fp16", source, has_scaler=True)
    assert "GradScaler" not in code
    assert "torch.float16" in code


def test_tf32_and_compiling_are_lines_before_the_cell():
    assert "allow_tf32 = True" in rewritten("tf32")
    assert (
        rewritten("fp32", compiled=("model",))
        .splitlines()[2]
        .startswith("model = torch.compile(model)")
    )
    assert rewritten("fp32") == ""


@pytest.mark.parametrize("source", ["train_step(batch)", "model(x).sum().backward()"])
def test_where_the_forward_pass_is_elsewhere_the_pattern_is_given(source):
    code = rewritten("bf16", source)
    assert "where the forward pass is" in code
    ast.parse(code)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("get_ipython().system('ls')", "magic or shell command on line 1"),
        ("x = input()", "input() on line 1"),
        ("await something()", "await on line 1"),
        ("subprocess.run(['ls'])", "new process on line 1"),
    ],
)
def test_what_must_not_be_repeated_is_refused(source, words):
    with pytest.raises(BadRequest) as refusal:
        side_effect_warnings(ast.parse(source))
    assert refusal.value.code == "not_repeatable"
    assert words in refusal.value.message


def test_what_is_repeated_is_named_with_its_line():
    code = "print(1)\nplt.plot(x)\ntorch.save(model, f)\nopen('x', 'w')\nopen('y')\nx.remove(1)"
    (said,) = side_effect_warnings(ast.parse(code))
    assert said == (
        "Repeated in every run: print() shows output (line 1), plt.plot() plots (line 2), "
        "save() writes (line 3), open() writes (line 4)."
    )
    assert side_effect_warnings(ast.parse("open('y')")) == []


def test_names_are_followed_through_the_notebooks_functions():
    namespace = {"__name__": "__main__"}
    exec("def inner():\n    return clip_grad_norm_\ndef outer():\n    inner()", namespace)
    code = compile("outer()", "<cell>", "exec")
    assert {"outer", "inner", "clip_grad_norm_"} <= names_mentioned(code, namespace)


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("nvjet_tst_128x8_64x12_2x1_v_bz_splitK_TNT", "tensor"),
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64", "tensor"),
        ("cutlass3x_sm90_tensorop_s64x128x16gemm_f16", "tensor"),
        ("void flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128>>", "tensor"),
        ("cudnn_generated_fort_native_sdpa_sm90_flash_fprop", "tensor"),
        ("void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x128_16x4_nn_align4>", "tensor"),
        ("sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_simt_nhwckrsc_nhwc", "product"),
        ("ampere_sgemm_128x64_tn", "product"),
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::AddFunctor<float>>",
            "other",
        ),
    ],
)
def test_kernels_are_told_apart_by_name(kernel, kind):
    assert kind_of(kernel) == kind


def test_shares_are_of_all_kernels_time():
    found = time_shares({"nvjet_tst_1": 3.0, "ampere_sgemm_1": 1.0, "elementwise": 1.0})
    assert found["tensor_core_ratio"] == 0.6
    assert found["other_product_ratio"] == 0.2
    assert time_shares({}) == {"reason": "No GPU kernels were recorded."}
