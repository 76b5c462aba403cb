"""What is read from a cell's source: what it would do again, and how it looks for a mode."""

from __future__ import annotations

import ast
from types import SimpleNamespace

import pytest
import torch

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.precision.effects import names_mentioned, side_effect_warnings
from jupyter_gpuperf.precision.kernels import kind_of, time_shares
from jupyter_gpuperf.precision.rewriting import rewrite_cell

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


def notebook(**more):
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return {
        "torch": torch,
        "model": model,
        "criterion": torch.nn.MSELoss(),
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1),
        **more,
    }


def rewritten(mode, source=CELL, names=None, device="cuda", **options):
    return rewrite_cell(source, mode, device, names or notebook(), torch, **options)


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
    code = rewritten("fp16", source, notebook(scaler=object()), has_scaler=True)
    assert "GradScaler" not in code
    assert "torch.float16" in code


def test_tf32_and_compiling_are_lines_before_the_cell():
    assert "allow_tf32 = True" in rewritten("tf32")
    names = notebook()
    compiled = {"model": names["model"]}
    lines = rewritten("fp32", names=names, compiled=compiled).splitlines()
    assert lines[2].startswith("model = torch.compile(model)")
    assert rewritten("fp32") == ""


def test_lines_that_can_not_precede_the_cell_are_shown_alone():
    code = rewritten("tf32", f"from __future__ import annotations\n{STEP}")
    assert code.splitlines()[-1] == "torch.backends.cudnn.allow_tf32 = True"


@pytest.mark.parametrize("path", ["function.model", "criterion", "models['a']"])
def test_a_model_that_has_no_such_name_in_the_notebook_is_not_assigned(path):
    code = rewritten("fp32", "pass", compiled={path: torch.nn.Linear(1, 1)})
    assert [type(each) for each in ast.parse(code).body] == [ast.Import, ast.Pass]
    assert "compile it where it is created" in code


STEP = "loss = model(x).mean()\nloss.backward()\noptimizer.step()\n"
NOT_WRITTEN = {
    "elsewhere": "train_step(batch)",
    "here and elsewhere": f"{STEP}train_step(x)",
    "in one statement": "model(x).sum().backward()",
    "partly in the statement": "h = model(x)\nmodel(h).sum().backward()",
    "on one line": "loss = model(x).mean(); loss.backward()",
    "no training": "out = model(x)",
    "decorated": "@torch.compile\ndef f(x):\n    return model(x)\nloss = f(x)\nloss.backward()",
    "future": f"from __future__ import annotations\n{STEP}",
}
NOT_SCALED = {
    "closure": STEP.replace("step()", "step(closure)"),
    "accelerator": STEP.replace("loss.backward()", "accelerator.backward(loss)"),
    "the functional form": STEP.replace("loss.backward()", "torch.autograd.backward(loss)"),
    "no step": STEP.replace("optimizer.step()", ""),
    "a local optimizer": "def f(o):\n    loss = model(x)\n    loss.backward()\n    o.step()\n",
    "steps in two places": f"{STEP}if last:\n    optimizer.step()\n",
    "clipped, of two": STEP.replace("optimizer", "clip_grad_norm_(p, 1)\nother.step()\noptimizer"),
}


@pytest.mark.parametrize("source", NOT_WRITTEN.values(), ids=NOT_WRITTEN)
@pytest.mark.parametrize("mode", ["bf16", "fp16"])
def test_a_cell_that_can_not_be_rewritten_is_not_shown_but_what_to_add_is(mode, source):
    names = notebook()
    exec("def train_step(batch):\n    model(batch).mean().backward()", names)
    code = rewritten(mode, source, names)
    assert "where the forward pass is" in code
    assert ast.parse(code).body == []


@pytest.mark.parametrize("source", NOT_SCALED.values(), ids=NOT_SCALED)
def test_a_cell_whose_gradients_can_not_be_scaled_is_not_shown_for_fp16(source):
    names = notebook()
    names["other"] = names["optimizer"]
    code = rewritten("fp16", source, names)
    assert "scale the loss" in code
    assert ast.parse(code).body == []


def test_torch_of_another_meaning_is_not_replaced():
    assert rewritten("bf16", names=notebook(torch="cuda")) == ""


def test_lines_of_strings_are_not_indented():
    source = 'for x in data:\n    loss = model(x, """a\nb\n""").mean()\n    loss.backward()\n'
    assert '"""a\nb\n"""' in rewritten("bf16", source)


@pytest.mark.parametrize("call", ["nets['a']", "space.net", "nets['a'].forward", "pair[0]"])
def test_a_model_is_found_where_the_notebook_keeps_it(call):
    model = torch.nn.Linear(1, 1)
    kept = {"nets": {"a": model}, "space": SimpleNamespace(net=model), "pair": [model]}
    code = rewritten("bf16", f"h = {call}(x)\n{STEP}", notebook(**kept))
    assert f"    h = {call}(x)" in code.splitlines()


@pytest.mark.parametrize("indent", ["\t", "  "])
def test_other_indents_are_kept(indent):
    code = rewritten("bf16", CELL.replace("    ", indent))
    compile(code, "cell", "exec")
    assert f"\n{indent}    outputs = model(inputs)" in code


def test_the_scaler_takes_no_name_of_the_users():
    cell = CELL.replace("inputs.to", "scaler.transform(inputs).to")
    code = rewritten("fp16", cell, notebook(scaler=object()))
    assert "grad_scaler = torch.amp.GradScaler" in code
    assert "    grad_scaler.scale(loss).backward()\n" in code
    code = rewritten("fp16", cell, notebook(scaler=object(), grad_scaler=object()))
    assert "grad_scaler_ = torch.amp.GradScaler" in code


def test_only_optimizers_are_stepped_by_the_scaler():
    code = rewritten("fp16", CELL + "    profiler.step()\n", notebook(profiler=object()))
    assert code.endswith("    scheduler.step()\n    profiler.step()")


TRAINED = {
    "plain": CELL,
    "one line": STEP.replace("()\noptimizer", "(); optimizer"),
    "conditional": STEP.replace("loss.backward()", "if True: loss.backward()"),
    "accumulated": STEP.replace("optimizer", "if True: optimizer"),
    "in parentheses": STEP.replace("loss.backward()", "(loss / 4).backward(retain_graph=True)"),
    "clipped": STEP.replace("optimizer", "torch.nn.utils.clip_grad_norm_(p, 1)\noptimizer"),
    "clipped on the line": STEP.replace("()\nopt", "(); torch.nn.utils.clip_grad_norm_(p, 1); opt"),
    "two losses": "a = model(x).mean()\nb = a * 2\na.backward(retain_graph=True)\nb.backward()\n"
    "optimizer.step()\n",
    "two optimizers": STEP + STEP.replace("optimizer", "other").replace("model", "second"),
    "a function": "def f(x):\n    loss = model(x).mean()\n    loss.backward()\n    optimizer.step()\nf(x)\n",
    "in a try": f"try:\n    {STEP.replace(chr(10), chr(10) + '    ')}pass\nfinally:\n    pass\n",
}


@pytest.mark.parametrize("source", TRAINED.values(), ids=TRAINED)
@pytest.mark.parametrize("mode", ["bf16", "fp16"])
def test_the_code_trains_as_the_cell_does(mode, source):
    source = source.replace("cuda", "cpu")
    trained = []
    for code in (source, rewritten(mode, source, learning(), device="cpu")):
        names = learning()
        # The usual first scale overflows: real training skips its first steps.
        exec(code.replace('Scaler("cpu")', 'Scaler("cpu", init_scale=64.0)'), names)
        trained.append(torch.cat([each.detach().flatten() for each in names["p"]]))
    assert "with torch.autocast" in code
    assert ("scaler.update()" in code) is (mode == "fp16")
    assert torch.allclose(*trained, atol=0.02)
    assert not torch.allclose(trained[0], torch.cat([each.flatten() for each in learning()["p"]]))


def learning():
    torch.manual_seed(0)
    names, x, second = notebook(), torch.ones(4, 1), torch.nn.Linear(1, 1)
    other = torch.optim.SGD(second.parameters(), 0.1)
    more = {"x": x, "batches": [(x, x)], "second": second, "other": other}
    return {**names, **more, "p": [*names["model"].parameters(), *second.parameters()]}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("get_ipython().system('ls')", "magic or shell command on line 1"),
        ("x = input()", "input() on line 1"),
        ("await something()", "await on line 1"),
        ("subprocess.run(['ls'])", "new process on line 1"),
        ("os.remove(oldest)", "remove() on line 1, which deletes or moves files"),
        ("Path('last.pt').unlink()", "unlink() on line 1, which deletes or moves files"),
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
