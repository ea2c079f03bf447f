"""The sampler: a helper process that holds torch and runs Gibbs chains for the pages.

The app itself never imports torch: Streamlit collects garbage after every run of a script, which takes 161 ms with
torch loaded and 40 ms without. This module sends requests to the process and hands its answers out; sampler_process.py
is what the process runs. `SHARED` is the one sampler of all browser tabs: its process starts at the first request,
answers in the order of the requests, is started again if it dies, and ends with the app.
"""

import atexit
import contextlib
import itertools
import json
import os
import queue
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors.numpy

from rbm_core.machine import QUIET
from rbm_core.pixels import PixelScale
from rbm_core.visible import units_of

ROOT = Path(__file__).resolve().parents[2]
MAX_CHAINS = 100
MAX_SWEEPS = 2000
MAX_ROUNDS = 2000  # of exchanges on a ladder
MAX_FILM_CHAINS = 200  # side by side in one player
MAX_FILM_BYTES = 64_000_000  # 100 chains of 2,000 sweeps of 784 + 500 binary units are 32 MB
END_WITHIN_S = 10.0  # a process that has not ended this long after its pipe was closed is killed

Progress = Callable[[int, int], None]
"""Called with (sweeps done, sweeps in all) a few times a second while a long film is made."""


class SamplerError(ValueError):
    """Why there is no film, in one sentence."""


@dataclass(frozen=True, eq=False)
class FilmRequest:
    """All that a film depends on: equal requests give equal films.

    W (V, H), vbias (V,), hbias (H,), log_var (V,) or None, penalty of ordered units or None: the model. label_W (K, H)
    and label_bias (K,): its label units, where labels are drawn with the pixels. start: "bernoulli", "gaussian",
    "digits" or "images". images: (n, V) in [0, 1], needed for "images", taken in turn where there are more chains.
    digit: only that class of "digits". betas: (S,), the inverse temperature of each sweep. probe (P, V) uint8 and
    probe_labels (P,): the run's fixed cases. held: (V,) bool, pixels that keep their starting value while the
    rest begins as noise. flipped: the share of pixels inverted in the start. scale: how Gaussian units stand for
    grey values. n_valid, fingerprint: which part of the data set was trained on, and which data these must be.
    with_map: also project the chains among training images. with_nearest: also find the training image nearest to
    each state. fork_at: the number of sweeps after which the chains go on with fork_seed, or in the model of fork_W,
    fork_vbias, fork_hbias and so on.
    Raises SamplerError for numbers out of bounds and for films too large to send.
    """

    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    start: str
    n_chains: int
    betas: np.ndarray
    seed: int
    log_var: np.ndarray | None = None
    visible: str = "bernoulli"
    penalty: float | None = None
    images: np.ndarray | None = None
    images_are: str = ""
    digit: int | None = None
    dataset: str = ""
    n_valid: int = 0
    fingerprint: str = ""
    binarisation: str = "stochastic"
    probe: np.ndarray | None = None
    probe_labels: np.ndarray | None = None
    mean_field: bool = False
    held: np.ndarray | None = None
    flipped: float = 0.0
    scale: PixelScale | None = None
    with_map: bool = False
    with_nearest: bool = False
    fork_at: int = 0
    fork_seed: int | None = None
    fork_W: np.ndarray | None = None
    fork_vbias: np.ndarray | None = None
    fork_hbias: np.ndarray | None = None
    fork_log_var: np.ndarray | None = None
    label_W: np.ndarray | None = None
    label_bias: np.ndarray | None = None
    fork_label_W: np.ndarray | None = None
    fork_label_bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.n_chains <= MAX_CHAINS:
            raise SamplerError(f"the number of chains must be from 1 to {MAX_CHAINS}, got {self.n_chains}")
        if not 1 <= len(self.betas) <= MAX_SWEEPS:
            raise SamplerError(f"the number of sweeps must be from 1 to {MAX_SWEEPS}, got {len(self.betas)}")
        if not (np.isfinite(self.betas).all() and (np.asarray(self.betas) >= 0).all()):
            raise SamplerError("a temperature must be a number above zero")
        if not 0 <= self.seed < 2**63:
            raise SamplerError(f"the seed must be from 0 to 2^63 − 1, got {self.seed}")
        if not 0 <= self.flipped <= 1:
            raise SamplerError(f"the share of flipped pixels must be from 0 to 1, got {self.flipped}")
        size = self.film_bytes()
        if size > MAX_FILM_BYTES:
            raise SamplerError(
                f"a film of {self.n_chains} chains and {len(self.betas):,} sweeps would be {size / 1e6:.0f} MB, and "
                f"the player takes {MAX_FILM_BYTES / 1e6:.0f} MB: choose fewer chains or sweeps"
            )

    def film_bytes(self) -> int:
        """The size of the states alone: one bit for a binary unit, two bytes for a real-valued one or a label's."""
        n_visible, n_hidden = self.W.shape
        n_labels = 0 if self.label_W is None else len(self.label_W)
        real_v, real_h = self.mean_field or units_of(vars(self)).real, self.mean_field
        v = 2 * n_visible if real_v else -(-n_visible // 8)
        h = 2 * n_hidden if real_h else -(-n_hidden // 8)
        return self.n_chains * ((len(self.betas) + 1) * (v + 2 * n_labels) + len(self.betas) * h)

    def model(self, prefix: str = "") -> dict[str, np.ndarray]:
        """The arrays of the model, by the names of the fields; empty if there is none. prefix: "fork_" for that of the
        fork.
        """
        names = ("W", "vbias", "hbias", "log_var", "label_W", "label_bias")
        arrays = {name: getattr(self, f"{prefix}{name}") for name in names}
        return {name: array for name, array in arrays.items() if array is not None}

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(meta, arrays): the fields as JSON-able values and as arrays, which rbm_core.trajectory takes."""
        return _parts(self)

    def message(self, number: int) -> bytes:
        """The request as the process reads it; its answers carry the same number."""
        meta, arrays = self.parts()
        return encode({"kind": "film", "id": number, **meta}, arrays)


@dataclass(frozen=True, eq=False)
class LadderRequest:
    """All that the film of a ladder depends on; rbm_core.trajectory.ladder says what its film holds.

    W (M, V, H), vbias (M, V), hbias (M, H), log_var (M, V) or None: the models in the order of learning, the last one
    the model of interest. steps: the updates each had seen. rounds: of sweeps and exchanges. penalty, dataset, n_valid,
    fingerprint, binarisation, probe, probe_labels, scale: as in FilmRequest.
    Raises SamplerError for numbers out of bounds.
    """

    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    steps: tuple[int, ...]
    rounds: int
    seed: int
    log_var: np.ndarray | None = None
    visible: str = "bernoulli"
    penalty: float | None = None
    dataset: str = ""
    n_valid: int = 0
    fingerprint: str = ""
    binarisation: str = "stochastic"
    probe: np.ndarray | None = None
    probe_labels: np.ndarray | None = None
    scale: PixelScale | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.rounds <= MAX_ROUNDS:
            raise SamplerError(f"the number of rounds must be from 1 to {MAX_ROUNDS:,}, got {self.rounds}")

    def message(self, number: int) -> bytes:
        """The request as the process reads it; its answers carry the same number."""
        meta, arrays = _parts(self)
        return encode({"kind": "ladder", "id": number, **meta}, arrays)


Request = FilmRequest | LadderRequest


@dataclass(frozen=True, eq=False)
class Film:
    """A finished film: `header` for words and sizes, `arrays` as rbm_core.trajectory describes them."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]


def _parts(request: "Request") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    arrays: dict[str, np.ndarray] = {}
    meta: dict[str, Any] = {}
    for name, value in vars(request).items():
        if isinstance(value, PixelScale):
            arrays |= value.arrays()
        elif isinstance(value, np.ndarray):
            arrays[name] = np.ascontiguousarray(value)
        else:
            meta[name] = value
    return meta, arrays


def encode(meta: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> bytes:
    """One message: its length in 8 bytes (little-endian), then safetensors with `meta` as JSON in its metadata."""
    body = safetensors.numpy.save(arrays or {}, {"meta": json.dumps(meta)})
    return struct.pack("<Q", len(body)) + body


def read_message(pipe: IO[bytes]) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """The next message, or None at the end of the pipe."""
    size = pipe.read(8)
    if len(size) < 8:
        return None
    (length,) = struct.unpack("<Q", size)
    body = pipe.read(length)
    if len(body) < length:
        return None
    (head,) = struct.unpack_from("<Q", body)
    meta = json.loads(json.loads(body[8 : 8 + head])["__metadata__"]["meta"])
    return meta, safetensors.numpy.load(body)


@dataclass(eq=False)
class _Process:
    """The helper process from its start to its end, and the queues of the requests that it has not answered."""

    popen: subprocess.Popen
    log: IO[bytes]
    waiting: dict[int, queue.SimpleQueue] = field(default_factory=dict)
    writing: threading.Lock = field(default_factory=threading.Lock)
    listener: threading.Thread | None = None
    mapped: bool = False

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def listen(self) -> None:
        """Puts each answer into the queue of its request; at the end of the pipe puts "dead" into all of them."""
        assert self.popen.stdout is not None
        while (message := read_message(self.popen.stdout)) is not None:
            meta, arrays = message
            waiter = self.waiting.get(meta["id"])
            if waiter is not None:
                waiter.put((meta, arrays))
        for waiter in list(self.waiting.values()):
            waiter.put(({"kind": "dead"}, {}))

    def send(self, message: bytes) -> None:
        assert self.popen.stdin is not None
        with self.writing:
            self.popen.stdin.write(message)
            self.popen.stdin.flush()

    def end(self) -> None:
        """Ends the process if it lives, and closes its pipes and its log."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        assert self.listener is not None
        with contextlib.suppress(OSError):
            self.popen.stdin.close()
        try:
            self.popen.wait(timeout=END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()  # still computing a film that nobody waits for
            self.popen.wait()
        self.listener.join(timeout=10)
        self.popen.stdout.close()
        self.log.close()

    def last_line(self) -> str:
        """The last line of what the process printed."""
        if self.log.closed:
            return "it left no message"
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it left no message"


class Sampler:
    """Starts the helper process, asks it for films and replaces it. Safe to use from several threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._ids = itertools.count(1)
        self._process: _Process | None = None

    @property
    def pid(self) -> int | None:
        """The process that lives now, None where there is none."""
        with self._guard:
            return self._process.popen.pid if self._process and self._process.alive else None

    @property
    def maps_are_quick(self) -> bool:
        """Whether the process has loaded scikit-learn and the training images, which takes it seconds."""
        with self._guard:
            return self._process is not None and self._process.alive and self._process.mapped

    def wake(self) -> None:
        """Starts the process if there is none, without waiting for it: loading torch takes seconds."""
        self._living()

    def film(self, request: Request, on_progress: Progress | None = None) -> Film:
        """The film of this request. Raises SamplerError in one sentence if there is none.

        A process that died is replaced, and the request sent once more. An exception from on_progress, which is how
        Streamlit stops a page that was left, cancels the request.
        """
        for attempt in (1, 2):
            process = self._living()
            answer = self._ask(process, request, on_progress)
            if answer is not None:
                meta, arrays = answer
                if meta["kind"] == "error":
                    raise SamplerError(meta["sentence"])
                process.mapped |= isinstance(request, LadderRequest) or request.with_map
                return Film(meta["header"], arrays)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(timeout=5)  # its pipe can close a moment before it ends
            if attempt == 2:
                raise SamplerError(
                    f"the sampler stopped twice while it made this film ({process.last_line()}); "
                    "try fewer chains or sweeps"
                )
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Ends the process; the next request starts another."""
        with self._guard:
            process, self._process = self._process, None
        if process is not None:
            process.end()

    def _living(self) -> _Process:
        with self._guard:
            if self._process is not None and not self._process.alive:
                self._process.end()
                self._process = None
            if self._process is None:
                self._process = _start()
            return self._process

    def _ask(
        self, process: _Process, request: Request, on_progress: Progress | None
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """The answer, or None if the process died."""
        number, mine = next(self._ids), queue.SimpleQueue()  # type: ignore[var-annotated]
        process.waiting[number] = mine
        finished = False
        try:
            try:
                process.send(request.message(number))
            except (OSError, ValueError):  # ValueError: another thread has closed the pipe
                return None
            while True:
                try:
                    meta, arrays = mine.get(timeout=0.2)
                except queue.Empty:
                    if not process.alive and mine.empty():
                        return None
                    if on_progress is not None:
                        on_progress(0, 0)
                    continue
                if meta["kind"] == "dead":
                    return None
                if meta["kind"] == "progress":
                    if on_progress is not None:
                        on_progress(meta["done"], meta["total"])
                    continue
                finished = True
                return meta, arrays
        finally:
            del process.waiting[number]
            if not finished and process.alive:
                with contextlib.suppress(OSError):
                    process.send(encode({"kind": "cancel", "id": number}))


def _start() -> _Process:
    log = tempfile.TemporaryFile()
    popen = subprocess.Popen(
        [sys.executable, "-m", "dashboard.processes.sampler_process"],
        cwd=ROOT,
        env={**os.environ, **QUIET},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    process = _Process(popen, log)
    process.listener = threading.Thread(target=process.listen, name="sampler", daemon=True)
    process.listener.start()
    return process


SHARED = Sampler()
atexit.register(SHARED.close)
