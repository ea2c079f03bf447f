"""What is installed and what ships can be checked: exact versions with checksums, licences, the runs' checksums."""

import hashlib
import re
import subprocess

from packaging.requirements import Requirement

from tests.live import REPO

PINNED = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", (REPO / "constraints.txt").read_text(), re.MULTILINE))


def required() -> list[Requirement]:
    lines = (REPO / "requirements.txt").read_text().splitlines()
    return [Requirement(line.partition("#")[0].strip()) for line in lines if line.partition("#")[0].strip()]


def test_every_requirement_is_pinned_within_its_range() -> None:
    assert len(PINNED) > len(required()), "what the packages need in turn is pinned too"
    for one in required():
        assert one.specifier.contains(PINNED[one.name]), f"{one} is pinned to {PINNED[one.name]}"


def test_every_pin_has_checksums() -> None:
    entries = re.split(r"^(?=[a-z0-9-]+==)", (REPO / "constraints.txt").read_text(), flags=re.MULTILINE)[1:]
    assert len(entries) == len(PINNED)
    assert [one.split()[0] for one in entries if "--hash=sha256:" not in one] == []


def test_every_pinned_package_has_its_licence_listed() -> None:
    listed = set(
        re.findall(r"[a-z0-9-]+", (REPO / "docs" / "supply.md").read_text().partition("## Licences")[2])
    )
    assert sorted(set(PINNED) - listed - {"colorama"}) == []  # Windows alone


def test_the_shipped_runs_are_those_of_their_checksums() -> None:
    sums = (REPO / "checkpoints" / "SHA256SUMS").read_text().splitlines()
    told = dict(reversed(line.split(maxsplit=1)) for line in sums)
    there = subprocess.run(["git", "ls-files", "."], cwd=REPO / "checkpoints", capture_output=True, text=True)
    if there.returncode == 0:
        assert set(told) == set(there.stdout.split()) - {"SHA256SUMS"}, (
            "docs/supply.md says how they are listed anew"
        )
    for name, expected in told.items():
        found = hashlib.sha256((REPO / "checkpoints" / name).read_bytes()).hexdigest()
        assert found == expected, f"{name} is another file"
