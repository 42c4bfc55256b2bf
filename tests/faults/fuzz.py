"""Hostile input: what must hold of it, for a fuzzer and for Hypothesis.

python tests/faults/fuzz.py TARGET --seconds N    by atheris (extra `fuzz`), from the inputs in `SEEDS`

A target takes an input and raises AssertionError where something is wrong: an exception that isn't one of
ours, one that isn't a short line that a terminal can show, more than a second of CPU time, or a deed that
reading a name or a file has no business with, such as a file opened to write, a process or a connection.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import resource
import signal
import sys
import tempfile
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

from pieces import ARCHITECTURES, SUITE, TASKS, bytes_of, text_of  # noqa: E402 (the path first)

LONGEST_LINE = 700  # characters of an error
CPU_SECONDS = 1.0
MERGE_SECONDS = 10.0
PAGES_SECONDS = 30.0  # of what is made from a whole run
MEMORY = 2 * 2**30  # bytes beyond what the process has, for the fuzzer
DEEDS = re.compile(
    r"subprocess\.|socket\.|os\.(system|exec|fork|spawn|posix_spawn|remove|rename|rmdir|mkdir|link|symlink|chmod"
    r"|truncate|kill|startfile)|shutil\.|pickle\.|ctypes\.dlopen|webbrowser"
)

IN_A_FOLDER = re.compile(r"os\.(remove|rmdir) \('[^/]*', \d+\)")  # that shutil.rmtree has open


class TooSlow(BaseException):
    """An input took more than a second; no handler of ours catches it."""


class Watch:
    """Collects what is done while it is open, from Python's audit events."""

    def __init__(self):
        self.open, self.found = False, []
        sys.addaudithook(self._hook)

    def _hook(self, event, arguments):
        if not self.open:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = flags & 0o3 if isinstance(flags, int) else False
            if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
                self.found.append(f"open {path!r} {mode}")
        elif DEEDS.match(event):
            self.found.append(f"{event} {arguments!r:.200}")

    @contextlib.contextmanager
    def __call__(self, *inside):
        """Fail where something was done, but to files whose paths hold one of those words."""
        self.open, self.found = True, []
        try:
            yield
        finally:
            self.open = False
        found = [each for each in self.found if not any(word in each for word in inside)]
        found = [each for each in found if not (inside and IN_A_FOLDER.match(each))]
        assert not found, found


watched = Watch()


@contextlib.contextmanager
def bounded(seconds=CPU_SECONDS):
    """End what runs within after so many seconds of CPU time."""

    def stop(*_):
        raise TooSlow(f"more than {seconds} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def refused(call, *arguments):
    """Return what a call returns, or None where it refuses with one short line of our own."""
    with watched(), bounded():
        try:
            return call(*arguments)
        except ValueError as error:
            assert type(error).__module__.partition(".")[0] in ("benchmarks", "suites", "runner"), repr(error)
            one_line(str(error))
            return None


def one_line(text):
    """Check that a terminal can show a message in a few lines, and that nothing in it steers the terminal."""
    assert len(text) <= LONGEST_LINE, (len(text), text[:300])
    odd = [sign for sign in text if not sign.isprintable()]
    assert not odd, (odd, text[:300])


@contextlib.contextmanager
def without_plug_ins():
    """Keep names with a colon from running code, as they do by design; yield those that would have."""
    from benchmarks import plug_ins
    from benchmarks.errors import UnknownName

    asked = []

    def plugged_in(kind, text):
        asked.append(text)
        raise UnknownName(f"{kind} {text!r}: would run code")

    real, plug_ins.plugged_in = plug_ins.plugged_in, plugged_in
    try:
        yield asked
    finally:
        plug_ins.plugged_in = real


def warm():
    """Import what a name only imports when it is first asked for."""
    from benchmarks.architectures.estimators import ESTIMATORS

    for estimator in ESTIMATORS.values():
        estimator.build._class()


def architecture(text):
    """A name of an architecture: it is one, whose other spellings are it too, or it is refused."""
    from benchmarks import registry

    with without_plug_ins() as asked:
        found = refused(registry.architecture, text)
        assert not asked or ":" in text, asked
        if found is None:
            refused(registry.spelled, text)
            return
        spelled = refused(registry.spelled, text)
        assert spelled is not None and registry.architecture(spelled).name == found.name
        assert len(spelled) <= 2 * len(text) + 10
        found.name.encode()


def task(text):
    """A name of a task: it is one with a canonical name and draws points, or it is refused."""
    import numpy as np

    from benchmarks import registry
    from benchmarks import task as tasks

    with without_plug_ins() as asked:
        found = refused(registry.task, text)
        assert not asked or ":" in text, asked
        if found is None:
            return
        again = refused(registry.task, found.name)
        assert again is not None and again.name == found.name, found.name

        def drawn():
            x, _ = tasks.checked_sample(found, 2, np.random.default_rng(0))
            return tasks.checked_log_joint(found, x)

        refused(drawn)


def suite(data):
    """The bytes of a suite file: a suite that could be planned, or refused."""
    from suites import suite as suites

    with without_plug_ins():
        found = refused(suites.parsed, data, "suite file x.toml", Path())
        if found is None:
            return
        one_line(found.name)
        refused(lambda: suites.narrow(found, quick=True))
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", found.name), found.name


def text(words):
    """A text from data: Markdown, spreadsheets, pages, terminals and files' names take it as text."""
    import hostile_run

    from benchmarks.errors import one_line as line

    with watched(), bounded():
        hostile_run.check_text(words)
        one_line(line(words))


def manifest(data):
    """The bytes of a manifest: read or refused, and whatever it holds, pages can show it."""
    import hostile_run

    from reports.publishing.editions import started
    from runner.run_folder import read_manifest

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_bytes(data)
        found = refused(read_manifest, Path(folder))
    if found is not None:
        hostile_run.summarised()
        with watched(), bounded(PAGES_SECONDS):
            hostile_run.check_manifest(found)
            started(hostile_run.source(found))


def run(data):
    """Names, titles and reasons of a run: all that is made of it shows them as text."""
    import hostile_run

    hostile_run.checked()(text_of(data).split("|") or [""])


def merge(data):
    """What edits a results file: what fits is merged, all else listed in short lines, and no page is made."""
    import hostile_file

    from runner import provenance
    from runner.merging import merge as merging

    hostile_file.sound()
    with tempfile.TemporaryDirectory(prefix="merge-") as base, without_plug_ins() as asked:
        run, output = Path(base) / "run", Path(base) / "output"
        run.mkdir()
        hostile_file.written(run / hostile_file.FILE, data)
        with (
            mock.patch.object(merging, "report", lambda *_: None),
            mock.patch.multiple(provenance, commit=lambda: "", machine=dict),  # which start processes
        ):
            with watched(base, "posterior-bench-"), bounded(MERGE_SECONDS):
                try:
                    found = merging.merge([run], output)
                except ValueError as error:
                    assert type(error).__module__.partition(".")[0] == "runner", repr(error)
                    one_line(str(error))
                    found = None
            assert not asked, asked
            assert {each.name for each in Path(base).iterdir()} <= {"run", "output"}
            if found is not None:
                for line in found.lines():
                    one_line(line)
                hostile_file.check_merged(output)


TARGETS = {
    "merge": merge,
    "architecture": lambda data: architecture(text_of(data)),
    "task": lambda data: task(text_of(data)),
    "suite": suite,
    "text": lambda data: text(text_of(data)),
    "manifest": manifest,
    "run": run,
}
SEEDS = {
    "merge": [b"\2\0\1\2\3\4", b"\1\0\1\2\3\4", b"\0\0\1\2\3\4", b"\2\x09\3\4\6\0\x09\4\1\7\0"],
    "architecture": [bytes_of(name) for name in ARCHITECTURES],
    "task": [bytes_of(name) for name in TASKS],
    "manifest": [
        b'{"command": "runner", "wall_seconds": 1.5, "started": "2026-01-01T00:00:00+00:00", "versions": {}}'
    ],
    "suite": [SUITE, SUITE + b'[quick]\nbudgets = [64]\nseeds = 1\ntitle = "a"\n'],
}


def main():
    """Run atheris on a target for so long; the first input that something is wrong with ends it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="folder of inputs to begin with and to add to")
    options = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["benchmarks", "suites", "reports", "runner", "tomllib"]):
        import suites.suite  # noqa: F401
    import torch  # noqa: F401

    warm()
    folder = options.corpus or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS.get(options.target, [])):
        (folder / f"seed-{number}").write_bytes(seed)
    with contextlib.suppress(Exception):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    flags = [
        f"-max_total_time={options.seconds}",
        "-max_len=2048",
        "-timeout=300",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup([sys.argv[0], *flags, str(folder)], TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
