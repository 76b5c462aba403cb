"""Formulas of single operators, and which operators leave a step uncounted."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.loops.flop_formulas import flops_of, may_be_uncounted

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    "name",
    [
        *("_cudnn_rnn", "mkldnn_rnn_layer", "lstm", "_int_mm", "_sparse_mm", "_sparse_addmm", "mv"),
        *("_flash_attention_forward", "_efficient_attention_backward", "linear", "matmul"),
        *(
            "conv2d",
            "_conv_depthwise2d",
            "cudnn_convolution_relu",
            "_trilinear",
            "_weight_int8pack_mm",
        ),
        *("linalg_solve_ex", "_transformer_encoder_layer_fwd", "_native_multi_head_attention"),
    ],
)
def test_operators_that_may_do_much_arithmetic_are_not_passed_over(name):
    assert may_be_uncounted("aten", name)


@pytest.mark.parametrize(
    "name",
    [
        *("cummax", "native_layer_norm", "native_group_norm", "_softmax", "linalg_vector_norm"),
        *("upsample_bilinear2d", "upsample_linear1d", "_fused_sdp_choice", "embedding", "linspace"),
        *("_thnn_fused_lstm_cell", "max_pool2d_with_indices", "_convert_indices_from_csr_to_coo"),
    ],
)
def test_other_operators_do_no_harm(name):
    assert not may_be_uncounted("aten", name)


def test_of_other_libraries_only_communication_is_known_to_do_no_arithmetic():
    assert may_be_uncounted("flash_attn", "_flash_attn_forward")
    assert not may_be_uncounted("c10d", "allreduce_")


def shaped(*shape):
    return torch.empty(shape, device="meta")


@pytest.mark.parametrize(
    ("name", "args", "result", "flops", "forward"),
    [
        ("mm", (shaped(3, 5), shaped(5, 7)), None, 210, 210),
        ("addmm", (shaped(7), shaped(3, 5), shaped(5, 7)), None, 210, 210),
        ("bmm", (shaped(2, 3, 5), shaped(2, 5, 7)), None, 420, 420),
        ("_grouped_mm", (shaped(6, 5), shaped(2, 5, 7), None), None, 420, 420),
        # Heads share keys: eight of queries, two of keys.
        (
            "_scaled_dot_product_flash_attention",
            (shaped(2, 8, 16, 4), shaped(2, 2, 32, 4), shaped(2, 2, 32, 4)),
            None,
            2 * 2 * 8 * 16 * 32 * 8,
            2 * 2 * 8 * 16 * 32 * 8,
        ),
        # Four products, of which a kernel's fifth, the scores again, does not count.
        (
            "_scaled_dot_product_efficient_attention_backward",
            (None, *[shaped(2, 8, 16, 4)] * 3),
            None,
            8 * 2 * 8 * 16 * 16 * 4,
            4 * 2 * 8 * 16 * 16 * 4,
        ),
        (
            "convolution",
            (shaped(2, 8, 9, 9), shaped(4, 2, 3, 3), None, [1], [1], [1], False),
            shaped(2, 4, 9, 9),
            2 * 2 * 81 * 4 * 2 * 9,
            2 * 2 * 81 * 4 * 2 * 9,
        ),
        (
            "convolution_backward",
            (
                *(shaped(2, 4, 9, 9), shaped(2, 8, 9, 9), shaped(4, 2, 3, 3)),
                *([0], [1], [1], [1], False, [0], 4, [False, True, True]),
            ),
            None,
            2 * 2 * 81 * 4 * 2 * 9,
            2 * 2 * 81 * 4 * 2 * 9,
        ),
    ],
)
def test_operations_by_shapes(name, args, result, flops, forward):
    call = flops_of(name, args, result)
    assert (call.flops, call.forward_flops) == (flops, forward)


def test_operators_without_a_formula_have_none():
    assert flops_of("relu", (shaped(3),), None) is None
