"""A run's parameters and curves as files for other programs: NumPy, safetensors, ONNX, CSV."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from rbm_core.exchange.outside import replacing
from rbm_core.pixels import PixelScale
from rbm_core.rbm import RBM
from rbm_core.runs.files import RunError

__all__ = ["metrics_csv", "onnx_models", "parameters", "write"]


def write(target: Path, content: bytes) -> None:
    """Writes the file whole, or leaves what was there. Raises RunError in one sentence if it cannot be written."""
    with replacing(target) as aside:
        aside.write_bytes(content)


def parameters(rbm: RBM, scale: PixelScale | None) -> dict[str, np.ndarray]:
    """W (V, H), vbias, hbias, log_var, label_W (K, H), label_bias, the penalty of ordered hidden units, and how
    Gaussian pixels were scaled, by the names that `import` reads.
    """
    arrays = rbm.to_numpy() | ({} if scale is None else scale.arrays())
    if rbm.penalty is not None:
        arrays["penalty"] = np.array([rbm.penalty])
    if K := rbm.n_labels:
        W, b = arrays["W"], arrays["vbias"]
        arrays |= {"W": W[:-K], "vbias": b[:-K], "label_W": W[-K:], "label_bias": b[-K:]}
    return arrays


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def safetensors(arrays: dict[str, np.ndarray]) -> bytes:
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def onnx_models(rbm: RBM, scale: PixelScale | None) -> dict[str, bytes]:
    """Both conditionals as ONNX models, by the name that each adds to its file's.

    "h_from_v": x (N, V), the data's own values → p(h = 1 | v) (N, H). "v_from_h": h (N, H) → E[v | h] (N, V), in the
    data's own values. Gaussian units are standardised on the way in and back on the way out. Raises RunError where
    the package onnx is missing.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise RunError("ONNX files need the package onnx: pip install onnx") from None
    if rbm.penalty is not None:
        raise RunError(
            "ONNX files hold models without ordered hidden units; .npz and .safetensors files hold their penalty too"
        )
    if rbm.n_labels:
        raise RunError(
            "ONNX files hold models without label units; --format npz and --format safetensors hold the labels too"
        )
    arrays = {name: array.astype(np.float32) for name, array in rbm.to_numpy().items()}
    real = rbm.law.units.real
    steps: dict[str, list[Any]] = {"h_from_v": [], "v_from_h": []}
    constants: dict[str, np.ndarray] = {name: arrays[name] for name in ("W", "vbias", "hbias")}
    v = "x"
    if scale is not None:
        constants |= {"mean": scale.mean, "std": scale.std}
        steps["h_from_v"] += [
            helper.make_node("Sub", ["x", "mean"], ["deviation"]),
            helper.make_node("Div", ["deviation", "std"], ["v"]),
        ]
        v = "v"
    if "log_var" in arrays:
        constants["inverse_var"] = np.exp(-arrays["log_var"])
        steps["h_from_v"].append(helper.make_node("Mul", [v, "inverse_var"], ["seen"]))
        v = "seen"
    steps["h_from_v"] += [
        helper.make_node("Gemm", [v, "W", "hbias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["p"]),
    ]
    steps["v_from_h"].append(helper.make_node("Gemm", ["h", "W", "vbias"], ["logits"], transB=1))
    if not real:
        steps["v_from_h"].append(helper.make_node("Sigmoid", ["logits"], ["mean_v"]))
    elif scale is not None:
        steps["v_from_h"] += [
            helper.make_node("Mul", ["logits", "std"], ["spread"]),
            helper.make_node("Add", ["spread", "mean"], ["mean_v"]),
        ]
    else:
        steps["v_from_h"].append(helper.make_node("Identity", ["logits"], ["mean_v"]))
    ends = {
        "h_from_v": (("x", rbm.n_visible), ("p", rbm.n_hidden)),
        "v_from_h": (("h", rbm.n_hidden), ("mean_v", rbm.n_visible)),
    }
    models = {}
    for name, nodes in steps.items():
        used = {given for node in nodes for given in node.input}
        (source, n_in), (result, n_out) = ends[name]
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info(source, TensorProto.FLOAT, ["cases", n_in])],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["cases", n_out])],
            [numpy_helper.from_array(value, key) for key, value in constants.items() if key in used],
        )
        model = helper.make_model(
            graph, producer_name="RBM Observatory", opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        )
        checker.check_model(model)
        models[name] = model.SerializeToString()
    return models


def metrics_csv(metrics: dict[str, np.ndarray]) -> bytes:
    """Every row of the curves, a column a number, empty where a row has none."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(metrics)
    for row in zip(*metrics.values(), strict=True):
        table.writerow(
            "" if isinstance(x, float) and np.isnan(x) else x for x in (value.item() for value in row)
        )
    return text.getvalue().encode()
