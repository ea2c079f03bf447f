"""What is installed and what ships can be checked: exact versions with checksums, licences, the runs' checksums."""

import hashlib
import re
import subprocess
from contextlib import suppress
from importlib.metadata import Distribution, PackageMetadata, PackageNotFoundError, distribution

from packaging.requirements import Requirement

from tests.live import REPO

PINNED = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", (REPO / "constraints.txt").read_text(), re.MULTILINE))


# Classifiers, by the names that docs/supply.md has for the same.
_SHORT = {"MIT License": "MIT", "BSD License": "BSD", "Apache Software License": "Apache-2.0"}


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


def test_what_is_installed_is_what_is_pinned() -> None:
    """Of every pinned package that this machine has: others belong to another system, or to a GPU."""
    there = installed()
    assert len(there) > len(required()) / 2
    assert {name: PINNED[name] for name in there} == {name: one.version for name, one in there.items()}


def test_licences_are_those_that_the_packages_name() -> None:
    """By their expression, their classifiers, or a short licence field: wherever the metadata name one."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", (REPO / "docs" / "supply.md").read_text(), re.MULTILINE)
    listed = {name: licence for licence, names in rows for name in names.split(", ")}
    wrong = {
        name: (listed.get(name), sorted(named))
        for name, one in installed().items()
        if (named := licences(one.metadata)) and listed.get(name) not in named
    }
    assert wrong == {}


def installed() -> dict[str, Distribution]:
    found = {}
    for name in PINNED:
        with suppress(PackageNotFoundError):
            found[name] = distribution(name)
    return found


def licences(metadata: PackageMetadata) -> set[str]:
    """What the metadata call the licence, in each of the ways that they have for it."""
    classifiers = [c for c in metadata.get_all("Classifier") or () if c.startswith("License ::")]
    words = [
        metadata.get("License-Expression"),
        metadata.get("License"),
        *(c.split(" :: ")[-1] for c in classifiers),
    ]
    return {_SHORT.get(word, word) for word in words if word and "\n" not in word}


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
