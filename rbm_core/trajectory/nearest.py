"""The training image nearest to each state of a film: the one from which the fewest pixels differ."""

from collections.abc import Callable

import numpy as np

from rbm_core.trajectory.cases import Arrays, PackedCases

__all__ = ["Nearest"]

_MOST_STATES = 5100  # states compared in a film: about 2 s of one core with 55,000 images
_BLOCK = 8192  # images compared at once: these fit the processor's cache


class Nearest:
    """Keeps every `every`-th of n states of n_chains chains, and finds the image nearest to each."""

    def __init__(self, known: PackedCases, n: int, n_chains: int) -> None:
        self._bits, self._labels, self._source = known
        self.every = -(-n * n_chains // _MOST_STATES)
        self._states = np.empty((-(-n // self.every), n_chains, self._bits.shape[1]), np.uint8)

    def words(self) -> dict[str, str | int]:
        """The entry `nearest` of the film's header."""
        noun = "training image" if "training" in self._source else "probe image"
        return {"source": self._source, "every": self.every, "noun": noun}

    def keep(self, t: int, pixels: np.ndarray) -> None:
        """pixels: (n_chains, V) bool, the states after t sweeps."""
        if t % self.every == 0:
            self._states[t // self.every] = np.packbits(pixels, axis=1)

    def find(self, report: Callable[[], None]) -> Arrays:
        """The film's arrays named near_…, by counting the bits in which packed rows differ. report: called often."""
        known = _words(self._bits).T
        wanted = _words(self._states.reshape(-1, self._states.shape[2]))
        distance, number = np.full(len(wanted), 0xFFFF, np.uint16), np.zeros(len(wanted), np.uint32)
        for low in range(0, known.shape[1], _BLOCK):
            block = np.ascontiguousarray(known[:, low : low + _BLOCK])
            differ, counts = np.empty_like(block), np.empty(block.shape, np.uint8)
            sums = np.empty(block.shape[1], np.uint16)
            for i, state in enumerate(wanted):
                np.bitwise_xor(block, state[:, None], out=differ)
                np.bitwise_count(differ, out=counts)
                np.add.reduce(counts, axis=0, dtype=np.uint16, out=sums)
                k = int(sums.argmin())
                if sums[k] < distance[i]:
                    distance[i], number[i] = sums[k], low + k
                if i % 256 == 0:
                    report()
        numbers = np.unique(number)
        return {
            "near_distance": distance.reshape(self._states.shape[:2]),
            "near_number": number.reshape(self._states.shape[:2]),
            "near_numbers": numbers,
            "near_bits": self._bits[numbers],
            "near_labels": self._labels[numbers],
        }


def _words(rows: np.ndarray) -> np.ndarray:
    """Packed rows (N, bytes) as whole 64-bit words (N, W), padded with zeros."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view(np.uint64)
