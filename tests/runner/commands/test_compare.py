"""`runner compare` and `runner diff` on real runs: what they say, exit codes, and that they only read."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from command import SMOKE, call, call_without_torch
from results_file import edit, made_older

from runner.store import FILE, Store, StoreError

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
HEADS = ("task", "examples")
CHILDREN = (("record", "trial"), ("curve", "trial"), ("prediction", "trial"), ("trial", "id"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two runs of the smoke suite, and one of fewer seeds."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("smoke", "again"):
        out = call(*SMOKE, "--output", f"runs/{name}", "--format", "none", cwd=folder)
        assert out.returncode == 0, out.stderr
    seeds = "(SELECT id FROM trial WHERE seed > 2)"
    edited(
        folder,
        "few",
        *(f"DELETE FROM {table} WHERE {key} IN {seeds}" for table, key in CHILDREN),
        home="runs",
    )
    return folder


def state(folder: Path):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(folder.rglob("*"))
    }


def edited(folder, name, *queries, home="copies"):
    """A copy of the first run, with some numbers changed; outside runs/, where all tests look for runs."""
    target = folder / home / name
    shutil.copytree(folder / "runs/smoke", target)
    edit(target / FILE, *queries)
    return f"{home}/{name}"


ROW = "trial IN (SELECT id FROM trial WHERE architecture = 'mlp-16x16')"
GAP = "metric = 'information_gap' AND region = 'all'"


def test_the_same_command_twice_is_no_difference_and_folders_are_only_read(folder):
    before = state(folder / "runs")
    out = call("diff", "runs/smoke", "runs/again", cwd=folder)
    assert out.returncode == 0, out.stderr + out.stdout
    assert "No difference" in out.stdout
    assert "Every number is the same in both runs." in out.stdout
    told = json.loads(call("diff", "runs/smoke", "runs/again", "--format", "json", cwd=folder).stdout)
    assert (told["verdict"], told["identical"], told["comparisons"]) == ("no difference", True, 6)
    assert all(change["paired"] for change in told["changes"])
    assert call("compare", "linear", "mlp-16x16", "--run", "runs/smoke", cwd=folder).returncode == 0
    assert state(folder / "runs") == before


def test_worse_is_exit_code_one_and_better_is_none(folder):
    worse = edited(folder, "worse", f"UPDATE record SET value = value * 1.2 WHERE {ROW} AND {GAP}")
    out = call("diff", "runs/smoke", worse, cwd=folder)
    assert out.returncode == 1
    assert "mlp-16x16" in out.stdout.partition("Worse")[2].partition("Over all tasks")[0]
    assert call("diff", worse, "runs/smoke", cwd=folder).returncode == 0
    assert call("diff", "runs/smoke", worse, "--ratio", "1.3", cwd=folder).returncode == 0
    text = call("diff", "runs/smoke", worse, "--format", "markdown", cwd=folder).stdout
    assert text.startswith("### Worse: runs/smoke → copies/worse\n")
    assert "| mlp-16x16      | overall |      1,280 |        1.20 |" in text


def test_a_new_failure_is_exit_code_one(folder):
    failing = edited(
        folder,
        "failing",
        "UPDATE record SET value = NULL, status = 'failed', reason = 'diverged'"
        f" WHERE {ROW} AND budget = 1280"
        " AND trial IN (SELECT id FROM trial WHERE seed = 0 AND task = 'gauss-nested')",
    )
    out = call("diff", "runs/smoke", failing, cwd=folder)
    assert out.returncode == 1
    assert "mlp-16x16 on gauss-nested: 1 of 5 trials without a number: diverged" in out.stdout
    out = call("compare", "linear", "mlp-16x16", "--run", failing, cwd=folder)
    assert out.returncode == 0
    assert "1 of 10 trials of mlp-16x16 failed (diverged)" in " ".join(out.stdout.split())


def test_a_run_that_was_interrupted_is_exit_code_two(folder):
    late = "trial IN (SELECT id FROM trial WHERE task = 'gauss-nested') AND budget = 1280"
    cut = edited(
        folder, "cut", *(f"DELETE FROM {each} WHERE {ROW} AND {late}" for each in ("record", "prediction"))
    )
    out = call("diff", "runs/smoke", cut, cwd=folder)
    assert out.returncode == 2, out.stdout
    assert "Not run in the new run: mlp-16x16 on gauss-nested at 1,280." in out.stdout
    assert "No difference" not in out.stdout and "Every number" not in out.stdout
    assert call("diff", cut, "runs/smoke", cwd=folder).returncode == 0


def test_fewer_than_five_seeds_are_exit_code_two(folder):
    out = call("diff", "runs/few", "runs/few", cwd=folder)
    assert out.returncode == 2
    assert "Too few to tell: 3 seeds, and it takes 5." in out.stdout
    out = call("compare", "linear", "mlp-16x16", "--run", "runs/few", cwd=folder)
    assert out.returncode == 0
    assert out.stdout.splitlines()[2].startswith("Too few seeds to tell")


def test_another_task_of_the_same_name_is_not_paired(folder):
    other = edited(folder, "other", "UPDATE trial SET spec = replace(spec, 'gauss-nested', 'gauss-nest')")
    told = json.loads(call("diff", "runs/smoke", other, "--format", "json", cwd=folder).stdout)
    assert told["unpaired_tasks"] == ["gauss-nested"]
    assert {change["task"]: change["paired"] for change in told["changes"]} == {
        "overall": False, "gauss-separated": True, "gauss-nested": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["diff", "runs/smoke", "runs/few", "--ratio", "nan"], "Invalid value for '--ratio'"),
        (["diff", "runs/smoke", "runs/few", "--ratio", "inf"], "Invalid value for '--ratio'"),
        (["compare", "linear", "mlp-16x61", "--run", "runs/smoke"], "did you mean mlp-16x16"),
        (["compare", "linear", "mlp-16x16"], "are in several runs, runs/again, runs/few, runs/smoke"),
        (
            ["compare", "linear", "rbf-32"],
            "expected a run with both linear and rbf-32; below runs there are: ",
        ),
        (
            ["compare", "linear", "linear", "--run", "runs/smoke"],
            "expected two architectures, found linear twice",
        ),
        (
            ["compare", "linear", "mlp-16x16", "--suite", "none"],
            "folder runs/none: expected a run with results.db",
        ),
        (
            ["compare", "linear", "mlp-16x16", "--suite", "smoke", "--output", "x.pdf"],
            "expected FILE.html or FILE.md",
        ),
        (["compare", "linear", "mlp-16x16", "--suite", "smoke", "--run", "runs/smoke"], "found both"),
        (["diff", "runs/smoke", "nowhere"], "folder nowhere: expected a run with results.db, found none"),
        (["diff", "runs/smoke", "runs/again", "--ratio", "0.9"], "--ratio"),
    ],
)
def test_a_wrong_call_is_one_clear_line(folder, args, words):
    for name in ("worse", "failing", "other"):
        shutil.rmtree(folder / "runs" / name, ignore_errors=True)
    out = call(*args, cwd=folder)
    assert out.returncode == 2
    assert words in out.stderr
    assert "Traceback" not in out.stderr


def test_names_may_be_spelled_otherwise_and_the_only_run_is_found(folder, tmp_path):
    shutil.copytree(folder / "runs/smoke", tmp_path / "runs/smoke")
    plain = call("compare", "mlp-16x16", "oracle-mle", cwd=tmp_path)
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.startswith("mlp-16x16 against oracle-mle (reference row)\n")
    assert call("compare", "mlp(width=16)", "oracle-mle", cwd=tmp_path).stdout == plain.stdout
    assert call("compare", "mlp-16x16", "oracle-mle", "--suite", "smoke", cwd=tmp_path).stdout == plain.stdout
    unknown = call("compare", "mlp-16x16", "oracle-ml", cwd=tmp_path)
    assert (unknown.returncode, "did you mean oracle-mle" in unknown.stderr) == (2, True)


def test_markdown_and_a_page_are_written(folder, tmp_path):
    run = ["--run", str(folder / "runs/smoke")]
    out = call(
        "compare", "linear", "mlp-16x16", *run, "--output", "x.md", "--format", "markdown", cwd=tmp_path
    )
    assert out.returncode == 0, out.stderr
    text = (tmp_path / "x.md").read_text()
    assert text == out.stdout
    lines = text.splitlines()
    assert lines[0] == "### linear against mlp-16x16"
    assert lines[2].startswith("**")
    assert lines[4] == "A is linear, B is mlp-16x16; values are the information gap."
    heads = [line.split() for line in lines if line.startswith(("| task", "| examples"))]
    assert [head[1] for head in heads] == ["task", "examples"]
    assert [line.split()[1] for line in lines if line.startswith("| ") and line.split()[1] not in HEADS] == [
        "overall", "gauss-separated", "gauss-nested", "640", "1,280",
    ]  # fmt: skip
    assert lines[-1].startswith("p is of a paired t test over seeds")
    out = call("compare", "linear", "mlp-16x16", *run, "--output", "x.html", cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert "<h1>linear against mlp-16x16</h1>" in (tmp_path / "x.html").read_text()


def test_a_folder_that_may_not_be_written_and_an_older_file_can_be_read(folder, tmp_path, monkeypatch):
    target = tmp_path / "run"
    shutil.copytree(folder / "runs/smoke", target)
    older = target / FILE
    made_older(older)
    db = sqlite3.connect(older)
    db.executescript(
        "DROP TABLE picture; ALTER TABLE task ADD COLUMN x BLOB NOT NULL DEFAULT x'';"
        "ALTER TABLE task ADD COLUMN log_posterior BLOB NOT NULL DEFAULT x''; PRAGMA user_version = 2;"
    )
    db.close()
    before, content = state(target), older.read_bytes()
    target.chmod(0o555)
    try:
        with Store(older, reading=True) as store:
            assert store.run()["suite"]["name"] == "smoke"
            assert not list(store.rows("SELECT * FROM picture"))
        out = call("compare", "linear", "mlp-16x16", "--run", str(target), cwd=tmp_path)
        assert out.returncode == 0, out.stderr
    finally:
        target.chmod(0o755)
    assert state(target) == before
    assert older.read_bytes() == content


def test_a_run_that_is_under_way_can_be_read(folder, tmp_path):
    target = tmp_path / "run"
    shutil.copytree(folder / "runs/smoke", target)
    with Store(target / FILE) as writer:
        writer.describe({"wall_seconds": 7.0})
        with Store(target / FILE, reading=True) as reader:
            assert reader.run()["wall_seconds"] == 7.0
            with pytest.raises(StoreError, match="readonly"):
                reader.describe({"wall_seconds": 8.0})


def test_neither_command_needs_torch(folder):
    for args in (
        ["diff", "runs/smoke", "runs/again"],
        ["compare", "mlp(width=16)", "linear", "--run", "runs/smoke"],
    ):
        out = call_without_torch(*args, cwd=folder)
        assert out.returncode == 0, out.stderr


def test_own_code_that_is_not_the_old_runs_is_named(folder):
    sourced = "UPDATE trial SET spec = json_set(spec, '$.source', '{}') WHERE architecture = 'linear'"
    old, new = (edited(folder, name, sourced.format(name)) for name in ("before", "after"))
    told = "Own code changed since the old run: linear."
    for first, second, named in ((old, new, True), (old, old, False), ("runs/smoke", old, False)):
        out = call("diff", first, second, cwd=folder)
        assert (out.returncode, told in out.stdout) == (0, named), out.stderr


@pytest.mark.long
def test_an_edited_file_is_named(tmp_path):
    text = (EXAMPLES / "my_network.py").read_text()
    for place, code in (("old", text), ("new", text + "\n# edited\n")):
        (tmp_path / "net.py").write_text(code)
        given = ["--suite", "smoke", "--quick", "--task", "gauss-nested", "--budget", "640", "--seeds", "2"]
        made = call(*given, "--architecture", "net.py:Net", "linear", "--output", place, "--format", "none",
                    cwd=tmp_path)  # fmt: skip
        assert made.returncode == 0, made.stderr
    told = "Own code changed since the old run: net.py:Net."
    assert told in call("diff", "old", "new", cwd=tmp_path).stdout
    assert json.loads(call("diff", "old", "new", "--format", "json", cwd=tmp_path).stdout)["edited"] == [
        "net.py:Net"
    ]
    same = call("diff", "new", "new", cwd=tmp_path)
    assert (same.returncode, same.stderr) == (2, "")  # two seeds are too few to tell
    assert "Every number is" in same.stdout and told not in same.stdout
