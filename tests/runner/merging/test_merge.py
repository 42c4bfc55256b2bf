"""`runner merge`: parts of a run make the whole again, and what doesn't fit is listed and left out."""

import json
import re
import shutil

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from results_file import edit, made_older, respecified

from reports import render
from runner import run as running
from runner.cli import _guarded, cli
from runner.merging import merge, sizes, specs, strangers
from runner.merging.merge import MergeError
from runner.merging.strangers import LeftOut
from runner.results import frames, schema
from runner.run_folder import RunError
from runner.store import FILE, Store
from suites.suite import load, narrow

GRID = {"architectures": ["linear", "poly3"], "seeds": 2}
PARTS = {
    "architectures": [{"architectures": ["linear"]}, {"architectures": ["poly3"]}],
    "tasks": [{"tasks": ["gauss-separated"]}, {"tasks": ["gauss-nested"]}],
    "seeds": [{"seeds": 1}, {"seeds": 2}],
    "budgets": [{"budgets": [640]}, {"budgets": [640, 1280]}],
}


@pytest.fixture(scope="module", autouse=True)
def tables_alone():
    """Records and no pages, of which one test makes those of a merged run; returns what writes all."""
    real = running.report

    def quick(store, manifest, folder):
        found = frames.results(store, manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        rows = sorted(map(str, found.records.itertuples(index=False, name=None)))
        (folder / "records.csv").write_text("\n".join(rows))
        return found, None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "report", quick)
        patch.setattr(merge, "report", quick)
        yield real


def run(folder, **grid):
    suite = narrow(load("smoke"), **{**GRID, "budgets": [640, 1280], **grid})
    running.run(suite, running.Options("eager", "cpu", 1, folder))
    return folder


@pytest.fixture(scope="module")
def whole(tables_alone, tmp_path_factory):
    """The folder of a run of two tasks, two networks, two seeds and two budgets."""
    return run(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="module")
def parts(whole, tmp_path_factory):
    """Folders of runs of parts of the grid, by what was divided; the numbers are those of the whole run."""
    base, found = tmp_path_factory.mktemp("parts"), {}
    for what, grids in PARTS.items():
        for number, grid in enumerate(grids):
            folder = base / f"{what}-{number}"
            folder.mkdir()
            shutil.copyfile(whole / FILE, folder / FILE)
            run(folder, **grid)
            found.setdefault(what, []).append(folder)
    return found


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def records(folder):
    return (folder / "records.csv").read_text()


def state(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [folder, *folder.rglob("*")]}


def left_out(found):
    return {why: many for (_, _, why), many in found.left_out.items()}


# --- parts of one run -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", PARTS)
def test_parts_of_a_run_make_the_whole_again(whole, parts, what, tmp_path):
    one, other = parts[what]
    before = state(one)
    found = merge.merge([one, other], tmp_path / "merged")
    assert not found.left_out and not found.differ
    assert sum(found.trials.values()) == 2 * 5 * 2
    assert records(tmp_path / "merged") == records(whole)
    assert state(one) == before
    merged = json.loads((tmp_path / "merged/manifest.json").read_text())["merged"]
    assert [each["run"] for each in merged] == [one.name, other.name]
    assert merged[0]["versions"] == json.loads((one / "manifest.json").read_text())["versions"]
    assert records(one) != records(whole) or what in ("seeds", "budgets")


def test_a_merge_goes_on_as_a_run_and_as_a_part_of_another(whole, parts, tmp_path):
    merge.merge(parts["tasks"], tmp_path / "merged")
    with Store(tmp_path / "merged" / FILE, reading=True) as store:
        before = store.done()
    run(tmp_path / "merged")
    with Store(tmp_path / "merged" / FILE, reading=True) as store:
        assert store.done() == before  # nothing was trained again
    merge.merge([tmp_path / "merged", parts["seeds"][0]], tmp_path / "twice")
    assert records(tmp_path / "twice") == records(whole)
    merge.merge([parts["seeds"][0]], tmp_path / "twice")  # an earlier merge is set aside
    assert (tmp_path / "twice/results.old-1.db").is_file()
    assert records(tmp_path / "twice") == records(parts["seeds"][0])


def test_a_merged_run_has_pages_that_say_what_it_is(
    whole, parts, tmp_path, tables_alone, monkeypatch, capsys
):
    monkeypatch.setattr(merge, "report", tables_alone)
    folders = [str(part) for part in parts["architectures"]]
    args = ["merge", *folders, "--output", str(tmp_path / "merged")]
    assert _guarded(lambda: cli.main(args, standalone_mode=False)) == 0
    assert f"{folders[0]}: 16 trials merged" in capsys.readouterr().err
    with Store(whole / FILE, reading=True) as store:
        found = frames.results(store, {})
    assert records(tmp_path / "merged") == render.records_csv(found, render.summarise(found))
    assert "poly3" in (tmp_path / "merged/leaderboard.md").read_text()
    assert "architectures-0" in (tmp_path / "merged/report/method.html").read_text()


def test_an_older_file_and_one_that_is_being_written_are_merged(whole, parts, tmp_path):
    shutil.copytree(parts["architectures"][0], tmp_path / "older")
    made_older(tmp_path / "older" / FILE)
    with Store(parts["architectures"][1] / FILE) as writer:
        writer.describe({"wall_seconds": 1.0})
        merge.merge([tmp_path / "older", parts["architectures"][1]], tmp_path / "merged")
    assert records(tmp_path / "merged") == records(whole)


def test_of_trials_in_several_runs_the_first_is_kept_and_differences_are_told(whole, copy, tmp_path):
    edit(
        copy / FILE,
        "UPDATE record SET value = value / 2 WHERE metric = 'tv' AND trial IN"
        " (SELECT id FROM trial WHERE architecture = 'linear')",
        "UPDATE record SET value = 99 WHERE metric = 'training_seconds'",  # a clock's, which always differs
        "UPDATE environment SET description = replace(description, 'torch version', 'torch')",
    )
    found = merge.merge([whole, copy], tmp_path / "one")
    assert (found.same, sum(found.differ.values())) == (16, 4)
    assert "torch version" in next(iter(found.differ))
    assert records(tmp_path / "one") == records(whole)
    merge.merge([copy, whole], tmp_path / "other")
    assert records(tmp_path / "other") != records(whole)
    said = list(found.lines())
    assert (
        said[0] == "20 trials found in several runs, the first given kept: 16 the same, 4 with other numbers"
    )


def test_environments_stay_apart(parts, tmp_path):
    shutil.copytree(parts["architectures"][1], tmp_path / "other")
    edit(tmp_path / "other" / FILE, 'UPDATE environment SET description = \'{"torch version": "1.0"}\'')
    merge.merge([parts["architectures"][0], tmp_path / "other"], tmp_path / "merged")
    with Store(tmp_path / "merged" / FILE, reading=True) as store:
        own, others = store.environments()
        trained = dict(store.rows("SELECT environment, count(*) FROM trial GROUP BY environment"))
    assert others == {"torch version": "1.0"} and "processor" in own
    assert trained == {1: 16, 2: 4}


# --- calls that are wrong ---------------------------------------------------------------------------------


def test_runs_of_different_suites_are_refused(whole, copy, tmp_path):
    edit(copy / FILE, "UPDATE run SET value = replace(value, '\"batch\": 64', '\"batch\": 32')")
    with pytest.raises(MergeError, match=rf"runs of one batch, found 64 in {whole} and 32 in {copy}"):
        merge.merge([whole, copy], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_wrong_call_is_told_and_writes_nothing(whole, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    for error, runs, output, words in [
        (RunError, ["nowhere"], "out", "folder nowhere: expected a run with results.db, found none"),
        (MergeError, [whole], whole, "expected another folder than the runs', found one of them"),
        (MergeError, [whole, whole], "out", "expected each run once"),
        (MergeError, [whole], tmp_path / "full", "expected a new or empty folder, or an earlier merge's"),
        (MergeError, [whole], tmp_path / "full/mine", "expected a folder, found a file"),
    ]:
        with pytest.raises(error, match=words):
            merge.merge([whole.__class__(each) for each in runs], whole.__class__(output))
        args = ["merge", *map(str, runs), "--output", str(output)]
        assert _guarded(lambda args=args: cli.main(args, standalone_mode=False)) == 2
        assert words in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_an_unreadable_run_is_left_out_and_alone_it_is_an_error(whole, tmp_path, capsys):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE).write_bytes(b"x" * 5_000)
    args = ["merge", str(whole), str(tmp_path / "bad"), "--output", str(tmp_path / "merged")]
    assert _guarded(lambda: cli.main(args, standalone_mode=False)) == 0
    assert f"{tmp_path / 'bad'} left out: results file" in capsys.readouterr().err
    with pytest.raises(MergeError, match="left out: results file"):
        merge.merge([tmp_path / "bad"], tmp_path / "none")


# --- strangers' files -------------------------------------------------------------------------------------

LINEAR = "trial IN (SELECT id FROM trial WHERE architecture = 'linear')"
TV = f"metric = 'tv' AND region = 'all' AND {LINEAR}"
HOSTILE = [
    (f"UPDATE record SET value = 'NaN' WHERE {TV}", "can't be read|expected tv from", 4),
    (f"UPDATE record SET value = -9e999 WHERE {TV}", "expected tv from -1e-06 to 1, found -inf", 4),
    (f"UPDATE record SET error = -1.0 WHERE {TV}", "an integration error from 0, inf or none, found -1.0", 4),
    (f"UPDATE record SET value = -7.5 WHERE metric = 'expected_kl' AND {LINEAR}", "expected_kl from", 4),
    (f"UPDATE record SET value = -1.0 WHERE metric = 'training_seconds' AND {LINEAR}", "training_seconds", 4),
    (f"UPDATE record SET value = 1.5 WHERE {TV}", "expected tv from -1e-06 to 1, found 1.5", 4),
    (f"UPDATE record SET value = 9e999 WHERE {TV}", "expected tv from -1e-06 to 1, found inf", 4),
    (f"UPDATE record SET region = 'sparse95' WHERE metric = 'ece' AND {LINEAR}", "found ece, sparse95", 4),
    (f"UPDATE record SET metric = 'bias' WHERE {TV}", "expected a known metric and region, found bias", 4),
    (f"UPDATE record SET metric = 'x=cmd()' WHERE {TV}", "expected a known metric and region, found x=c", 4),
    (f"UPDATE record SET region = '../all' WHERE {TV}", "expected a known metric and region", 4),
    (f"UPDATE record SET status = '<b>' WHERE {TV}", "expected a known status, found <b>", 4),
    (f"UPDATE record SET status = 'failed' WHERE {TV}", "expected no number where the status is failed", 4),
    (f"UPDATE record SET reason = char(27) || '[2J' WHERE {TV}", r"a printable reason, found \\x1b", 4),
    (f"UPDATE record SET reason = char(8238) WHERE {TV}", r"a printable reason, found \\u202e", 4),
    (f"UPDATE record SET reason = printf('%.*c', 9000, 'x') WHERE {TV}", "expected a reason of at most", 4),
    (f"UPDATE record SET budget = -budget WHERE {TV}", "expected a budget, found -(640|1280)", 4),
    (f"UPDATE record SET budget = budget + 0.5 WHERE {TV}", "can't be read|expected a budget", 4),
    ("UPDATE trial SET seed = -1 WHERE architecture = 'linear'", "expected its spec's seed, found -1", 4),
    ("UPDATE trial SET seed = 1 - seed WHERE architecture = 'linear'", "expected its spec's seed", 4),
    ("UPDATE trial SET spec = spec || ' ' WHERE architecture = 'linear'", "a spec in canonical JSON", 4),
    ("UPDATE trial SET spec = 'x' WHERE architecture = 'linear'", "expected a spec in JSON", 4),
    (f"UPDATE trial SET spec = '{'[' * 9_999}' WHERE architecture = 'linear'", "24 levels deep", 4),
    ("UPDATE trial SET spec = replace(spec, '\"seed\":', '\"seed\":1') WHERE architecture = 'linear'",
     "its id isn't the hash of its spec", 4),
    ("UPDATE prediction SET log_q = x'00' WHERE " + LINEAR, "expected a prediction of its task's points", 4),
    ("UPDATE prediction SET log_q = zeroblob(1000000) WHERE " + LINEAR, "expected a prediction of its", 4),
    ("UPDATE curve SET log_q = replace(hex(zeroblob(length(log_q) / 2)), '0', '7') WHERE " + LINEAR,
     "expected a curve of numbers|can't be read", 4),
    ("UPDATE task SET summary = '[]' WHERE name = 'gauss-nested'", "its task is described wrongly: ", 10),
    ("UPDATE task SET summary = replace(summary, 'narrow', char(8238)) WHERE name = 'gauss-nested'",
     r"described wrongly: description: expected text, found the control character U\+202E", 10),
    ("UPDATE task SET summary = replace(summary, '\"classes\": 2', '\"classes\": 3')",
     "its task is described wrongly: expected 6,000 numbers of log posterior, found 4,000", 20),
    ("UPDATE task SET summary = replace(summary, '\"entropy\": ', '\"entropy\": 1e999, \"x\": ')", None, 0),
    ("UPDATE architecture SET summary = replace(summary, '\"network\"', '\"script\"') WHERE name = 'linear'",
     "its architecture is described wrongly: kind: ", 4),
    ("UPDATE picture SET layout = replace(layout, '[201]', '[999999999]')", "a picture of 999,999,999", 20),
    ("UPDATE picture SET x = zeroblob(7)", "its task is described wrongly: expected numbers", 20),
    ("UPDATE representatives SET weights = zeroblob(length(weights))", "expected weights of the points", 20),
    ("UPDATE environment SET description = '{\"a\": [1]}'", "values.a: Input should be a valid string", 20),
    ("UPDATE environment SET description = '{'", "Invalid JSON", 20),
    ("DELETE FROM environment", "", 20),
    ("DELETE FROM task WHERE name = 'gauss-nested'", "expected the task to be described, found nothing", 10),
    ("UPDATE run SET value = '{}' WHERE key = 'suite'", "name: Field required", 0),
    ("UPDATE run SET value = '[[[' WHERE key = 'trials'", "expected the trials of its grid, found none", 0),
    ("UPDATE run SET value = replace(value, 'linear', '../linear')",
     r"architectures.0: expected a name, found the path '../linear'", 0),
    ("UPDATE run SET value = replace(value, 'linear', '=cmd|x!A1')", "architectures.0: expected a name", 0),
    ("UPDATE run SET value = replace(value, 'Smoke', char(8238))", "title: expected one line", 0),
    ("CREATE TRIGGER t AFTER INSERT ON trial BEGIN DELETE FROM record; END", "the tables of schema", 0),
    ("CREATE VIEW v AS SELECT 1", "expected the tables of schema 4", 0),
    ("ALTER TABLE record ADD COLUMN x GENERATED ALWAYS AS (value + 1)", "expected the tables of", 0),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "words", "many"), HOSTILE, ids=lambda each: str(each)[:50])
def test_what_does_not_fit_is_listed(parts, copy, tmp_path, statement, words, many, monkeypatch):
    """The checksums are right: they hold off accidents, not strangers."""
    monkeypatch.setattr(merge, "report", lambda *_: None)
    edit(copy / FILE, statement)
    found = merge.merge([copy, parts["budgets"][0]], tmp_path / "merged")
    if words is None:
        assert not found.left_out
        return
    ((run, _, why), *_) = found.left_out
    assert run == str(copy)
    assert sum(found.left_out.values()) == many
    assert re.search(words, why), why
    assert all(line.isprintable() and len(line) < 400 for line in found.lines())
    with Store(tmp_path / "merged" / FILE, reading=True) as store:
        (count,) = next(store.rows("SELECT count(*) FROM trial"))
    assert count == 20


def test_changed_bytes_cost_their_trial_alone(whole, copy, tmp_path):
    first = f"(SELECT min(trial) FROM record WHERE {LINEAR})"
    edit(copy / FILE, f"UPDATE record SET value = value + 1e-9 WHERE {TV} AND trial = {first}", sealed=False)
    found = merge.merge([copy], tmp_path / "merged")
    assert left_out(found) == {"its records have another checksum": 1}
    assert list(found.lines()) == [f"{copy}: 1 trial of linear left out: its records have another checksum"]


FABRICATED = [
    (lambda spec: spec.update(source="ab" * 8), "architecture has the name of one of ours: expected"),
    (lambda spec: spec.update(fingerprint="ab" * 8), "its task has the name of one of ours: expected no"),
    (lambda spec: spec.update(source="ab" * 8, architecture={"name": "anything"}), "expected no source"),
    (lambda spec: spec.update(architecture={"name": "x"}), "its spec is of the architecture x, not of li"),
    (lambda spec: spec["task"].update(name="shapes"), "its spec is of the task shapes, not of gauss-"),
    (lambda spec: spec["architecture"].update(version=9), "architecture linear of version 1 or older, found"),
    (lambda spec: spec["task"].update(version=0), "task gauss-nested of version 1 or older, found 0"),
    (lambda spec: spec["architecture"].update(compiles=1), "expected what architecture linear is here, fou"),
    (lambda spec: spec["task"].update(scale=2.0), "expected what task gauss-nested is here, found another"),
    (lambda spec: spec.update(engine=10**9), "expected engine from 1 to 3, found 1000000000"),
    (lambda spec: spec.update(engine=True), "expected engine from 1 to 3, found True"),
    (lambda spec: spec.update(evaluation=0), "expected evaluation from 1 to 2, found 0"),
    (lambda spec: spec.update(mode="fast"), "expected mode compiled or eager, found fast"),
    (lambda spec: spec.update(mode="none"), "expected mode compiled or eager, found none"),
    (lambda spec: spec["protocol"].update(rate=1), "its spec: expected the protocol "),
    (lambda spec: spec["protocol"].update(batch=64.0), "its spec: expected the protocol "),
    (lambda spec: spec.update(extra=1), "found otherwise extra"),
    (lambda spec: spec.update(corrected=True), "expected +prior-corrected behind the name of a corrected"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), FABRICATED, ids=[words for _, words in FABRICATED])
def test_a_spec_of_a_name_of_ours_is_what_we_would_plan(copy, tmp_path, change, words, monkeypatch):
    monkeypatch.setattr(merge, "report", lambda *_: None)
    respecified(copy / FILE, change, "architecture = 'linear' AND task = 'gauss-nested'")
    found = merge.merge([copy], tmp_path / "merged")
    assert sum(found.left_out.values()) == 2
    assert all(words in why for _, _, why in found.left_out), found.left_out


@pytest.mark.parametrize(("kind", "hashed"), [("architecture", "source"), ("task", "fingerprint")])
def test_a_trial_of_somebodys_own_code_says_of_which(copy, tmp_path, kind, hashed, monkeypatch):
    monkeypatch.setattr(merge, "report", lambda *_: None)
    name = {"architecture": "linear", "task": "gauss-nested"}[kind]
    edit(
        copy / FILE,
        f"UPDATE trial SET {kind} = 'mine.py:own' WHERE {kind} = '{name}'",
        f"UPDATE {kind} SET name = 'mine.py:own' WHERE name = '{name}'",
        *(
            f"UPDATE {each} SET task = 'mine.py:own' WHERE task = '{name}'"
            for each in ("representatives", "picture")
        ),
        f"UPDATE run SET value = replace(value, '\"{name}\"', '\"mine.py:own\"')",
    )
    found = merge.merge([copy], tmp_path / "without")
    assert (
        left_out(found).popitem()[0].startswith(f"its {kind} isn't one of ours: expected a {hashed} in its")
    )
    respecified(
        copy / FILE, lambda spec: spec.update({hashed: "0123456789abcdef"}), f"{kind} = 'mine.py:own'"
    )
    assert not merge.merge([copy], tmp_path / "with").left_out


def test_a_name_is_for_one_thing(whole, copy, tmp_path):
    """What this package itself makes of a name comes first, whichever run has it; versions aren't mixed."""
    edit(copy / FILE, f"UPDATE record SET value = value / 2 WHERE {TV}")
    respecified(copy / FILE, lambda spec: spec.update(engine=2))
    for number, runs in enumerate([[whole, copy], [copy, whole]]):
        found = merge.merge(runs, tmp_path / f"merged-{number}")
        assert left_out(found) == {"another engine than in trials of that name given before": 4}
        assert records(tmp_path / f"merged-{number}") == records(whole)
    found = merge.merge([copy], tmp_path / "older")
    assert sum(found.trials.values()) == 20


@pytest.mark.parametrize(
    "name",
    ["linear", "mlp(width=64, depth=2)", "model.py:Net", "nets/model.py:Net+lr(0.01)", "xor-2d+nuisance(6)"],
)
def test_names_that_a_run_has_are_taken(name):
    assert TypeAdapter(strangers.Name).validate_python(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/../b", "/etc/passwd.py:x", "~/x", "a\\b", "a\nb", "a\u202eb", "<b>", "=1+1",
     "-x", "@x", " a", "a|b", "[a](b)", "a\x00", "mlp(width=9999999, depth=1)", "a" * 201, "\ud800", 7, None],
)  # fmt: skip
def test_other_names_are_refused(name):
    with pytest.raises(ValidationError) as error:
        TypeAdapter(strangers.Name).validate_python(name)
    reason = strangers.reason(error.value)
    assert reason.isascii() and reason.isprintable()


@pytest.mark.parametrize(
    ("module", "limit", "most", "words"),
    [
        (sizes, "MOST_DESCRIBED", 4_000, "expected at most 4,000 bytes in its table"),
        (sizes, "MOST_RECORDS", 1_000, "expected records of at most 1,000 bytes, found"),
        (sizes, "MOST_ROW", 200, "expected a row of at most 200 bytes, found"),
        (sizes, "MOST_OUTPUTS", 1, "expected a curve of its task's points, found"),
        (schema, "MOST_STEPS", 100, "expected queries of about a minute at most"),
    ],
)
def test_what_is_too_large_or_takes_too_long_is_not_read(
    parts, copy, tmp_path, module, limit, most, words, monkeypatch
):
    monkeypatch.setattr(module, limit, most)
    with pytest.raises(MergeError, match=words):
        merge.merge([copy], tmp_path / "merged")


def test_a_write_ahead_log_counts_too(copy, tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "MOST_BYTES", (copy / FILE).stat().st_size + 999)
    (copy / f"{FILE}-wal").write_bytes(bytes(1_000))
    with pytest.raises(MergeError, match="expected a results file of at most"):
        merge.merge([copy], tmp_path / "merged")


def test_an_older_file_is_brought_up_to_date_on_disk(copy):
    made_older(copy / FILE)
    with Store(copy / FILE, reading=True) as store:
        ((_, _, place),) = store.rows("PRAGMA database_list")
    assert place.endswith(FILE)
    assert place != str(copy / FILE)


def test_an_older_file_with_bytes_for_a_word_costs_that_trial(copy, tmp_path):
    made_older(copy / FILE)
    first = f"(SELECT min(trial) FROM record WHERE {LINEAR})"
    edit(copy / FILE, f"UPDATE record SET reason = x'ff00' WHERE {TV} AND trial = {first}", sealed=False)
    found = merge.merge([copy], tmp_path / "merged")
    assert sum(found.left_out.values()) == 1
    assert sum(found.trials.values()) == 19


def test_a_strangers_name_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    assert specs._architecture("evil.py:attr") is specs._task("evil.py:attr") is None
    assert specs._architecture("mlp(width=64, depth=2)")["name"] == "mlp-64x64"
    with pytest.raises(LeftOut, match=r"this version has no architecture mlp\("):
        specs._architecture("mlp(")


def test_numbers_of_blobs_are_bounded():
    assert strangers.numbers(np.zeros(3, "<f4").tobytes(), "<f4", 3).shape == (3,)
    for data in (b"123", bytes(16), np.array([np.nan], "<f4").tobytes(), "text", None):
        with pytest.raises(LeftOut):
            strangers.numbers(data, "<f4", 3)
