"""The processor's kind is read from its flags, and the bench leaves out the floor that it would only emulate."""

from types import SimpleNamespace

import pytest
import torch

from rbm_core import machine
from tests.benchmarks.__main__ import contestants
from tests.benchmarks.contestants import BFLOAT16, CONTESTANTS

FLAGS = {
    "fpu sse2 avx avx2 fma": "AVX2",
    "fpu avx2 avx512f avx512bw": "AVX-512",
    "fpu avx2 avx512f avx512_bf16": "bfloat16",
    "fpu avx2 avx512f amx_bf16 amx_tile": "bfloat16",
    "fpu sse2": "other",
    "fpu avx2_not_quite avx512fp16": "other",
}


def pretend(patch: pytest.MonkeyPatch, text: str | None) -> None:
    """A machine named "other" whose /proc/cpuinfo holds this; None: it has none."""

    def read_text(encoding: str) -> str:
        if text is None:
            raise FileNotFoundError("/proc/cpuinfo")
        return text

    patch.setattr(machine, "Path", lambda path: SimpleNamespace(read_text=read_text))
    patch.setattr(machine.platform, "machine", lambda: "other")


@pytest.mark.parametrize(("flags", "kind"), FLAGS.items())
def test_the_kind_is_the_best_that_the_flags_name(
    flags: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {flags}\nbugs\t\t: spectre\n"
    pretend(monkeypatch, one + "\n" + one.replace(flags, "fpu"))
    assert machine.processor_kind() == kind


@pytest.mark.parametrize("text", [None, "", "Features\t: fp asimd\n"])
def test_a_processor_without_flags_has_the_machine_s_name(
    text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, text)
    assert machine.processor_kind() == "other"


@pytest.mark.parametrize(("flags", "kind"), FLAGS.items())
def test_products_in_bfloat16_take_part_where_they_are_not_emulated(
    flags: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, f"flags\t\t: {flags}\n")
    assert (BFLOAT16 in contestants(torch.device("cpu"))) == (kind == "bfloat16")
    assert contestants(torch.device("cuda")) == list(CONTESTANTS)
