"""A folder committed to a branch of the current git repository, without touching work tree or index."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import Refused


class BranchError(Refused):
    """A branch can't be committed to; the message says what was expected and found."""


@dataclass(frozen=True)
class Branch:
    """A branch to publish on: its name and the commit it is at, empty where it doesn't exist yet."""

    name: str
    tip: str

    @property
    def ref(self) -> str:
        """Its full name."""
        return f"refs/heads/{self.name}"


def find(name: str, marker: str) -> Branch:
    """Return the branch of the current repository, checked; raises BranchError.

    marker: the file that tells a site of ours; a branch that holds something else is refused.
    """
    try:
        _git("rev-parse", "--git-dir")
    except BranchError as error:
        raise BranchError(f"--branch {name}: expected to be called in a git repository; {error}") from None
    branch = Branch(name, "")
    if name.startswith("-") or _git("check-ref-format", branch.ref, check=False) is None:
        raise BranchError(f"--branch {name}: expected the name of a branch")
    worktrees = str(_git("worktree", "list", "--porcelain")).splitlines()
    if f"branch {branch.ref}" in worktrees:
        raise BranchError(f"--branch {name}: expected one that isn't checked out; switch to another first")
    tip = _git("rev-parse", "--verify", "--quiet", f"{branch.ref}^{{commit}}", check=False)
    if tip is None:
        return branch
    if _git("cat-file", "-e", f"{tip}:{marker}", check=False) is None:
        raise BranchError(
            f"--branch {name}: expected a new branch or one with a site that `runner publish` made,"
            f" found one without {marker}"
        )
    return Branch(name, tip)


def commit(branch: Branch, folder: Path, message: str, marker: str) -> str | None:
    """Commit a folder's files as the branch's next state; return the commit, None where nothing changed.

    What stands beside the site's own in the branch's top folder stays, such as CNAME or docs/; marker: the
    file whose lines name what is the site's own. Nothing is filtered or ignored on the way. Raises
    BranchError where the site would replace what is somebody else's, or the branch has moved meanwhile.
    """
    folder = folder.resolve()  # git takes paths from the top of the repository, wherever it is called
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = str(_git(
        "hash-object", "-w", "--no-filters", "--stdin-paths", text="".join(f"{path}\n" for path in files)
    )).split()  # fmt: skip
    names = [path.relative_to(folder).as_posix() for path in files]
    entries = [f"100644 {sha}\t{name}" for sha, name in zip(hashes, names, strict=True)]
    own = (folder / marker).read_text(encoding="utf-8").splitlines()
    entries += _kept(branch, marker, {marker, *own}, {name.partition("/")[0] for name in names})
    with TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        _git("update-index", "-z", "--index-info", text="".join(f"{each}\0" for each in entries), more=index)
        tree = str(_git("write-tree", more=index))
    if branch.tip and tree == _git("rev-parse", f"{branch.tip}^{{tree}}"):
        return None
    parents = ["-p", branch.tip] if branch.tip else []
    made = str(_git("commit-tree", tree, *parents, "-F", "-", text=message))
    # The old value given, empty for a branch that must not exist: nobody else's commit is lost.
    _git("update-ref", "-m", "runner publish", branch.ref, made, branch.tip)
    return made


def remote() -> str:
    """Return the remote to push to: origin or the first there is; `REMOTE` where there is none."""
    found = str(_git("remote")).split()
    return "origin" if "origin" in found else (found or ["REMOTE"])[0]


def _kept(branch: Branch, marker: str, own: set[str], new: set[str]) -> list[str]:
    """Return the entries of the branch that are of neither the old nor the new site.

    own: names in the top folder that the new site is made of; new: these and what else is in its folder.
    """
    if not branch.tip:
        return []
    before = {marker, *str(_git("cat-file", "blob", f"{branch.tip}:{marker}")).splitlines()}
    rows = [row for row in str(_git("ls-tree", "-r", "--full-tree", "-z", branch.tip)).split("\0") if row]
    kept = []
    for row in rows:
        (mode, _, sha), name = row.partition("\t")[0].split(), row.partition("\t")[2]
        top = name.partition("/")[0]
        if top in before:
            continue
        if top in own:
            raise BranchError(
                f"--branch {branch.name}: expected no {top} of somebody else's there, found one"
            )
        if top not in new:
            kept.append(f"{mode} {sha}\t{name}")
    return kept


def _git(
    *args: str, text: str | None = None, check: bool = True, more: Mapping[str, str] | None = None
) -> str | None:
    """Return what git prints; raises BranchError with its own words, or returns None without `check`."""
    try:
        done = subprocess.run(
            ["git", *args],
            input=(text or "").encode("utf-8", "surrogateescape"),
            capture_output=True,
            check=False,
            env={**os.environ, **(more or {})},
        )
    except FileNotFoundError:
        raise BranchError("git: expected it to be installed, found none") from None
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "surrogateescape").strip("\n")
    if not check:
        return None
    words = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise BranchError(f"git {args[0]}: {' '.join(words) or f'exit code {done.returncode}'}")
