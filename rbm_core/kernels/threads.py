"""One compiled kernel on every thread, each taking the next piece of the work until none is left.

A kernel takes (queue, pieces, …) and calls `next_piece(queue)` until it answers `pieces` or more. No thread waits for
another before the end, so a core that is busy elsewhere delays its own piece alone. What a piece computes must not
depend on which thread takes it.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["group_size", "next_piece", "on_all_threads"]

MOST_TOGETHER = 64  # chains of a group: the sums of so many stay in the second cache

_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)  # threads do not survive a fork


@intrinsic
def next_piece(typing_context, queue):
    """The number of the next piece, from a counter (1,) int64 that all threads share."""

    def codegen(context, builder, signature, args):
        counter = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", counter.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(queue), codegen


def group_size(n: int) -> int:
    """How many of n chains go together, so that every thread has as many groups and none has more than 64 chains."""
    threads = torch.get_num_threads()
    rounds = -(-n // (MOST_TOGETHER * threads))
    return -(-n // (rounds * threads))


def on_all_threads(kernel: Callable[..., object], pieces: int, *arguments: object) -> None:
    """kernel(queue, pieces, *arguments) on up to torch.get_num_threads() threads, this one among them."""
    global _pool
    queue = np.zeros(1, np.int64)
    helpers = min(torch.get_num_threads(), pieces) - 1
    if helpers > 0 and _pool is None:
        _pool = ThreadPoolExecutor(max(8, os.cpu_count() or 1), thread_name_prefix="rbm-kernel")
    running = [_pool.submit(kernel, queue, pieces, *arguments) for _ in range(helpers)] if _pool else []
    kernel(queue, pieces, *arguments)
    for helper in running:
        if not helper.cancel():  # one that has not begun finds nothing left to do
            helper.result()
