"""Python's readers find in the golden blobs what stands in them; tests/js reads the same files."""

import numpy as np
import pytest

from dashboard.components.blob import unpack
from dashboard.figures.chains import Chains
from tests.js import golden


@pytest.mark.parametrize("name", golden.BLOBS)
def test_a_golden_blob_is_what_its_writer_writes(name: str) -> None:
    """Else JavaScript is tested with what Python no longer sends; `python -m tests.js.golden` writes them anew."""
    header, arrays = unpack((golden.FOLDER / f"{name}.blob").read_bytes())
    now_header, now_arrays = unpack(golden.BLOBS[name]())
    assert header.keys() == now_header.keys()
    assert {key: x.dtype for key, x in arrays.items()} == {key: x.dtype for key, x in now_arrays.items()}
    for key, array in arrays.items():
        np.testing.assert_allclose(array, now_arrays[key], rtol=1e-6, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", ["film", "film-gaussian", "film-labels", "film-ordered"])
def test_chains_read_states_and_conditionals_of_the_golden_film(name: str) -> None:
    header, arrays = unpack((golden.FOLDER / f"{name}.blob").read_bytes())
    chains = Chains(header, arrays)
    for t in range(header["n_sweeps"] + 1):
        np.testing.assert_array_equal(chains.v(t), arrays["expect_v"][t])
        np.testing.assert_allclose(chains.mean_v(t), arrays["expect_mean_v"][t], atol=1e-5)
        expected = np.round(255 * np.clip(arrays["expect_pixels"][t], 0, 1))
        shades = chains.pixels(t, "pv").reshape(expected.shape)
        assert np.abs(shades - expected).max() <= 1, "a shade is off by more than rounding"
        if t:
            np.testing.assert_array_equal(chains.h(t), arrays["expect_h"][t - 1])
            np.testing.assert_allclose(chains.mean_h(t), arrays["expect_mean_h"][t - 1], atol=1e-5)
