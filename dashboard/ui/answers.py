"""What a press is answered with in a sentence, shown until it could be read.

A page runs again for many reasons: its timer, a trial of the machine that has ended, a word from one of its pictures.
A sentence that only the run of the press showed was gone with the next, often before anyone could read it.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

READ_S = 8.0


@dataclass(frozen=True)
class Answer:
    """A sentence, and whether it tells what could not be done. since: when it was given, by time.monotonic()."""

    sentence: str
    failed: bool = True
    since: float = field(default_factory=time.monotonic)

    @property
    def fresh(self) -> bool:
        """Whether there was no time yet to read it."""
        return time.monotonic() - self.since < READ_S


def show(answer: Answer | None, place: Any = st) -> None:
    """Shows the answer in `place` for READ_S, in every run of the page."""
    if answer is not None and answer.fresh:
        (place.error if answer.failed else place.success)(answer.sentence)
