"""Suite files, names and manifests from strangers: what they ask for, or refused in a short line."""

import os
import time
from pathlib import Path

import fuzz
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pieces import PAYLOADS, WORDS
from pieces import SUITE as SUITE_FILE

from benchmarks import registry
from benchmarks.errors import LONGEST_LINE, Refused, UnknownName, one_line
from benchmarks.task import TaskError
from runner.plan import Trial
from runner.progress import say
from runner.records import TrialResult
from runner.run_folder import RunError, read_manifest
from suites.files import MOST_BYTES
from suites.suite import SuiteError, read

QUICK = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
TEXTS = st.one_of(st.sampled_from(PAYLOADS), st.text(), st.text("|`*_[]()<>&=+-@\\#!~\n\r\t'\" ab1.:/"))
NAMES = st.lists(st.one_of(st.sampled_from(WORDS), st.characters()), max_size=12).map("".join)
NUMBERS = st.one_of(st.integers(), st.integers(0, 10**40), st.floats(), st.booleans())

EDITS = st.builds(
    lambda kind, edits: bytes([kind]) + b"".join(edits),
    st.integers(0, 3),
    st.lists(st.binary(min_size=5, max_size=5), min_size=1, max_size=4),
)


@st.composite
def suite_files(draw):
    """Return a suite file some of whose values are anything."""
    lines = dict(line.split(" = ") for line in SUITE_FILE.decode().splitlines())
    word = st.sampled_from(["gauss-nested", "linear", "xor-2d+nuisance(2)", "os:abort", "a.py:b", *PAYLOADS])
    value = st.recursive(st.one_of(NUMBERS, word), lambda inner: st.lists(inner, max_size=4), max_leaves=8)
    keys = st.sampled_from(
        [*lines, "pool", "steps", "title", "question", "quick", "reference", "quick.seeds", "x"]
    )
    for key in draw(st.lists(keys, max_size=4)):
        lines[key] = toml(draw(value))
    return "\n".join(f"{key} = {text}" for key, text in lines.items()).encode("utf-8", "replace")


def toml(value):
    """Return a value as TOML, or nearly."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return "'" + value.replace("'", "") + "'"
    return str(value).lower()


@pytest.fixture(scope="module", autouse=True)
def imported():
    fuzz.warm()


# --- names and suite files --------------------------------------------------------------------------------


@QUICK
@given(NAMES)
def test_any_name_is_an_architecture_or_refused(text):
    fuzz.architecture(text)


@QUICK
@given(NAMES)
def test_any_name_is_a_task_or_refused(text):
    fuzz.task(text)


@QUICK
@given(st.one_of(suite_files(), st.binary(max_size=200)))
def test_any_bytes_are_a_suite_or_refused(data):
    fuzz.suite(data)


@QUICK
@given(EDITS)
def test_any_results_file_is_merged_where_it_fits(data):
    fuzz.merge(data)


@pytest.mark.long
@pytest.mark.parametrize("target", ["architecture", "task"])
def test_any_name_at_length(target):
    LONG(given(NAMES)(getattr(fuzz, target)))()


@pytest.mark.long
def test_any_suite_at_length():
    LONG(given(st.one_of(suite_files(), st.binary(max_size=2_000)))(fuzz.suite))()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mlp(width=1000000000)", "width: expected at most 16,384, found 1,000,000,000"),
        ("mlp(depth=1000000000)", "depth: expected at most 256"),
        ("mlp(width=16384, depth=200)", "expected at most 268,435,456 weights between hidden layers"),
        ("rbf(units=1000000000)", "units: expected at most 16,384"),
        ("gaussian-mixture(components=99999)", "components: expected at most 16,384"),
        ("maxout(pieces=99999)", "pieces: expected at most 16,384"),
        ("linear+batch(4611686018427387904)", "expected at most 1,048,576 examples a batch"),
        ("linear+mc-dropout(0.1, 1000000000)", "expected at most 1,000 samples"),
        ("linear" + "+sgd" * 9, "expected at most 8 parts behind it, found 9"),
        ("linear" + " " * 5_000, "expected at most 4,000 characters, found 5,006"),
        ("mlp(width=" + "9" * 3_000 + ")", "expected at most 16,384"),
        ("lin\x1b[31mear", "expected a name that can be printed, found control characters"),
    ],
)
def test_a_name_that_asks_too_much_is_refused_with_the_limit(name, words):
    with pytest.raises(Refused) as error:
        registry.architecture(name)
    assert words in str(error.value)
    fuzz.one_line(str(error.value))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("xor-2d+nuisance(1000000000)", "expected at most 1,024 inputs"),
        ("xor-2d+nuisance(1000)+nuisance(1000)", "expected at most 1,024 inputs, found 2,002"),
        ("xor-2d+nuisance(1000)+random-linear-map(1)", "expected at most 512 inputs, found 1,002"),
        ("xor-2d" + "+nuisance(1)" * 9, "expected at most 8 parts behind it"),
    ],
)
def test_a_task_that_asks_too_much_is_refused_with_the_limit(name, words):
    with pytest.raises(Refused, match=words):
        registry.task(name)


SUITE = SUITE_FILE.decode()
HUGE = "[quick]\nseeds = 1\nbudgets = [999999999]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 50_000, "TOML"),
        ("a = " + "[" * 50_000 + "]" * 50_000, "nested too deep"),
        ("a." * 60_000 + "a = 1", "expected keys of at most two parts"),
        ('"a\\""' + '."\\""' * 20_000 + " = 1", "expected keys of at most two parts"),
        ("a = " + "1" * 5_000, "TOML"),
        ("#" * (MOST_BYTES + 1), "expected at most 256 KiB, found more"),
        (SUITE.replace("seeds = 3", f"seeds = {10**18}"), "expected less than or equal to 1000000000000"),
        (SUITE.replace("seeds = 3", f"seeds = {10**9}"), "expected a grid of at most 2,000,000 trials"),
        (SUITE.replace("batch = 64", f"batch = {2**62}"), "batch: expected less than or equal to 1048576"),
        (SUITE.replace("640]", f"{10**30}]"), "budgets.1: expected less than or equal to"),
        (SUITE.replace('["linear"]', "[]"), "architectures: expected at least 1 of them, found []"),
        (SUITE.replace('["linear"]', str(["linear"] * 2_000)), "architectures: expected at most 1,000 of"),
        (SUITE.replace('"x"', '"x y"'), "name: expected letters, digits"),
        (SUITE + f'title = "{"t" * 300}"', "title: expected at most 200 characters"),
        (SUITE.replace("stream", "dataset") + HUGE, "quick.budgets: expected training sets of at most"),
        ("\x00", "TOML"),
    ],
)  # fmt: skip
def test_a_suite_file_that_asks_too_much_is_refused_at_once(text, words, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    before = time.process_time()
    with pytest.raises(SuiteError) as error:
        read(path)
    assert time.process_time() - before < 1
    assert words in str(error.value)
    fuzz.one_line(str(error.value))


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a device"])
def test_what_is_no_file_is_not_read(kind, tmp_path):
    path = tmp_path / "mine.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path("/dev/zero") if kind == "device" else path
        if kind == "link to a device":
            path.symlink_to("/dev/zero")
    with fuzz.bounded(), pytest.raises(SuiteError, match="expected a file, found something else"):
        read(path)


MARK = "import pathlib\npathlib.Path({!r}).touch()\n"


@pytest.mark.parametrize("key", ["tasks", "architectures", "reference"])
def test_a_suite_file_runs_no_module_and_no_file_from_elsewhere(key, tmp_path, monkeypatch):
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    ran = tmp_path / "ran"
    for folder in (home, other):
        (folder / "own.py").write_text(MARK.format(str(ran)))
    (home / "link.py").symlink_to(other / "own.py")
    monkeypatch.chdir(home)
    names = [
        "os:getpid",
        f"os:system(command=touch {ran})",
        f"{other}/own.py:x",
        "../other/own.py:x",
        "link.py:x",
    ]
    for name in names:
        text = SUITE + 'reference = ["oracle"]\n'
        old = {"tasks": "gauss-nested", "architectures": "linear", "reference": "oracle"}[key]
        (home / "mine.toml").write_text(text.replace(f'["{old}"]', f'["{name}"]'))
        with pytest.raises(SuiteError, match=r"expected no code but file\.py:attr beside"):
            read(Path("mine.toml"))
        assert not ran.exists()
    (home / "mine.toml").write_text(text.replace(f'["{old}"]', '["own.py:x"]'))
    with pytest.raises(SuiteError, match="found none"):  # it ran, as the documentation says, and has no x
        read(Path("mine.toml"))
    assert ran.exists()


@QUICK
@given(TEXTS, st.integers(1, 3_000))
def test_an_error_is_one_short_line(text, times):
    line = one_line(text * times)
    assert len(line) <= LONGEST_LINE and line.isprintable()
    fuzz.one_line(str(Refused(f"somewhere: expected this, found {text * times!r}")))
    assert one_line("file a  b: expected") == "file a  b: expected"


def test_what_somebody_elses_code_says_steers_no_terminal_and_no_report(tmp_path, capsys):
    said = "\x1b]0;title\x07\x1b[31m" + "long " * 1_000
    result = TrialResult(Trial("t", "a", 0, "", "", (64,)))
    result.blank(64, "failed", said)
    reason = result.records[0].reason
    assert reason.isprintable() and len(reason) <= LONGEST_LINE
    say(f"warning: {said}\nand more")
    assert [line.isprintable() for line in capsys.readouterr().err.split("\n")] == [True] * 3
    with pytest.raises(UnknownName) as error:
        registry.task(plug_in(tmp_path, f"raise RuntimeError({said!r})"))
    fuzz.one_line(str(error.value))
    with pytest.raises(TaskError) as refused:
        registry.task(plug_in(tmp_path, f"def x():\n    raise RuntimeError({said!r})"))
    fuzz.one_line(str(refused.value))


def plug_in(folder, text):
    """Return the name of a plug-in of such a text."""
    path = folder / f"own{len(list(folder.iterdir()))}.py"
    path.write_text(text)
    return f"{path}:x"


@pytest.mark.parametrize(
    ("text", "words"),
    [("[" * 100_000, "nested too deep"), ("{" + " " * 2**24, "expected at most"), ("[]", "list")],
)
def test_a_manifest_from_a_stranger_is_refused_in_a_line(text, words, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=words):
        read_manifest(tmp_path)
