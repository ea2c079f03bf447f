"""The sampler's process: it imports torch, reads requests from a pipe and answers each with a film.

rbm_core.trajectory makes the films and says what they hold.
"""

import io
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import Any

import numpy as np

from dashboard.processes.sampler import FilmRequest, encode, read_message
from rbm_core.machine import lacks_memory
from rbm_core.runs.files import one_line
from rbm_core.trajectory import film, ladder_film


class Cancelled(Exception):
    """The app has cancelled this request."""


def main() -> None:
    """Answers requests until the pipe ends, which it does when the app goes."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C in the app's terminal ends the app, which ends the pipe
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a print must not end up among the answers
    requests: queue.SimpleQueue = queue.SimpleQueue()
    cancelled: set[int] = set()

    def listen() -> None:
        while (message := read_message(sys.stdin.buffer)) is not None:
            if message[0]["kind"] == "cancel":
                cancelled.add(message[0]["id"])
            else:
                requests.put(message)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    if requests.empty():
        _warm_up()
    while True:
        meta, arrays = requests.get()
        _answer(meta, arrays, answers, cancelled)


def _warm_up() -> None:
    """A film of one sweep, so that what torch and numba load at their first use is loaded before the first request."""
    few = np.zeros(8, np.float32)
    small = FilmRequest(np.zeros((8, 8), np.float32), few, few, "bernoulli", 1, np.ones(1), 0)
    request = read_message(io.BytesIO(small.message(0)))
    assert request is not None
    film(*request)


def _answer(meta: dict[str, Any], arrays: dict[str, np.ndarray], answers: Any, cancelled: set[int]) -> None:
    number, said = meta["id"], time.monotonic()

    def send(message: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> None:
        answers.write(encode({"id": number, **message}, arrays))
        answers.flush()

    def report(done: int, total: int) -> None:
        nonlocal said
        if number in cancelled:
            raise Cancelled
        if time.monotonic() - said > 0.2:
            said = time.monotonic()
            send({"kind": "progress", "done": done, "total": total})

    try:
        if number in cancelled:
            return
        make = ladder_film if meta["kind"] == "ladder" else film
        header, film_arrays = make(meta, arrays, report)
        json.dumps(header, allow_nan=False)
        send({"kind": "film", "header": header}, film_arrays)
    except Cancelled:
        return
    except ValueError as error:
        send({"kind": "error", "sentence": one_line(error)})
    except Exception as error:  # the process goes on after a request that it cannot serve
        if lacks_memory(error):
            sentence = "there is not enough memory for this film: choose fewer chains or sweeps, or stop other programs"
        else:
            sentence = f"the sampler could not make this film: {type(error).__name__}: {one_line(error)}"
            traceback.print_exception(error)
        send({"kind": "error", "sentence": sentence})
    finally:
        cancelled.discard(number)


if __name__ == "__main__":
    main()
