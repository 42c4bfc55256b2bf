"""The results file: what goes in comes out, and files that aren't ours are left alone."""

import json
import sqlite3

import numpy as np
import pytest

from runner.pictures import Drawing
from runner.plan import Trial
from runner.records import Record, TrialResult, unscored
from runner.results import frames
from runner.results.damage import set_aside, verify
from runner.store import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    Store,
    StoreError,
    TaskDescription,
)

ENVIRONMENT = {"torch version": "2.13.0", "device": "cpu"}


def result(id="a", value=0.125, seed=0):
    trial = Trial("gauss-nested", "linear", seed, id, "{}", (640, 1280))
    records = [
        Record(640, "expected_kl", "all", value, 1e-9),
        Record(640, "information_gap", "all", value / 2, 1e-9),
        Record(1280, "information_gap", "all", float("nan"), float("nan"), "failed", "it broke"),
    ]
    log_q = np.log([[0.25, 0.75], [0.5, 0.5]])
    return TrialResult(trial, records, {640: log_q}, {640: log_q[::-1]})


def describe(store, ids, name="linear"):
    suite = {"budgets": [640, 1280], "tasks": ["gauss-nested"], "architectures": [name], "reference": []}
    x, log_p = np.array([[0.0], [1.0]]), np.log([[0.5, 0.5], [0.1, 0.9]])
    drawing = Drawing(("x",), (2,), x, log_p - 1, np.array([True, False]))
    task = TaskDescription({"description": "d"}, drawing, np.array([0.25, 0.75]), log_p[::-1])
    store.describe(
        {"suite": suite, "trials": ids},
        {"gauss-nested": task},
        {name: {"description": "l", "kind": "network"}},
    )


def test_what_goes_in_comes_out(tmp_path):
    with Store(tmp_path / "results.db") as store:
        describe(store, ["a", "b"])
        store.add([result("a", 1 / 3), result("b", np.inf, seed=1)], ENVIRONMENT)
    with Store(tmp_path / "results.db") as store:
        assert store.done() == {"a": {640, 1280}, "b": {640, 1280}}
        assert store.environments() == [ENVIRONMENT]
        found = frames.results(store, {})
    kl = found.records[found.records.metric == "expected_kl"].set_index("seed").value
    assert kl[0] == 1 / 3
    assert kl[1] == np.inf
    failed = found.records[found.records.status == "failed"]
    assert failed.value.isna().all()
    assert set(failed.reason) == {"it broke"}
    picture = found.pictures["gauss-nested"]
    assert (picture.axes, picture.shape, picture.sparse.tolist()) == (("x",), (2,), [True, False])
    np.testing.assert_allclose(picture.posterior, [[0.5, 0.5], [0.1, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(picture.log_density, [-1, -1], rtol=1e-6)
    np.testing.assert_allclose(picture.outputs["linear", 640][0], [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)
    kept = found.predictions["gauss-nested"]
    assert kept.weights.tolist() == [0.25, 0.75]
    np.testing.assert_allclose(kept.log_posterior, np.log([[0.1, 0.9], [0.5, 0.5]]), rtol=1e-6)
    assert kept.log_q["linear", 640].shape == (2, 2, 2)  # seeds, points, classes
    np.testing.assert_allclose(kept.log_q["linear", 640][1], np.log([[0.5, 0.5], [0.25, 0.75]]), rtol=1e-6)


SCHEMA_1 = """
CREATE TABLE environment (id INTEGER PRIMARY KEY, description TEXT NOT NULL UNIQUE);
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE task (
    name TEXT PRIMARY KEY, summary TEXT NOT NULL, x BLOB NOT NULL, log_posterior BLOB NOT NULL
);
CREATE TABLE architecture (name TEXT PRIMARY KEY, summary TEXT NOT NULL);
CREATE TABLE trial (
    id TEXT PRIMARY KEY, task TEXT NOT NULL, architecture TEXT NOT NULL, seed INTEGER NOT NULL,
    spec TEXT NOT NULL, environment INTEGER NOT NULL REFERENCES environment (id)
);
CREATE TABLE record (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, metric TEXT NOT NULL,
    region TEXT NOT NULL, value REAL, error REAL, status TEXT NOT NULL, reason TEXT NOT NULL,
    again INTEGER NOT NULL,
    PRIMARY KEY (trial, budget, metric, region)
) WITHOUT ROWID;
CREATE TABLE curve (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, log_q BLOB NOT NULL,
    PRIMARY KEY (trial, budget)
) WITHOUT ROWID;
"""
SCHEMA_2 = (
    SCHEMA_1
    + """
CREATE TABLE representatives (
    task TEXT PRIMARY KEY, weights BLOB NOT NULL, log_posterior BLOB NOT NULL
);
CREATE TABLE prediction (
    trial TEXT NOT NULL REFERENCES trial (id), budget INTEGER NOT NULL, log_q BLOB NOT NULL,
    PRIMARY KEY (trial, budget)
) WITHOUT ROWID;
"""
)


def written_by_an_older_version(path, schema):
    """Write what a version with schema 1 or 2 left: a trial on a line, and a task in the plane."""
    floats = lambda values: np.array(values, dtype="<f4").tobytes()  # noqa: E731
    suite = {
        "budgets": [640], "tasks": ["gauss-nested", "xor-2d"], "architectures": ["linear"], "reference": []
    }  # fmt: skip
    with sqlite3.connect(path) as db:
        db.executescript(SCHEMA_1 if schema == 1 else SCHEMA_2)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {schema}")
        grid = {"suite": suite, "trials": {"a": ["gauss-nested", "linear"], "c": ["xor-2d", "linear"]}}
        db.executemany("INSERT INTO run VALUES (?, ?)", [(k, json.dumps(v)) for k, v in grid.items()])
        log_p = np.log([[0.5, 0.5], [0.1, 0.9], [0.2, 0.8]])
        db.execute(
            "INSERT INTO task VALUES ('gauss-nested', '{}', ?, ?)", (floats([-1, 0, 1]), floats(log_p))
        )
        db.execute("INSERT INTO task VALUES ('xor-2d', '{}', x'', x'')")
        db.execute("INSERT INTO architecture VALUES ('linear', '{}')")
        db.execute("INSERT INTO environment VALUES (1, '{}')")
        for trial, task in (("a", "gauss-nested"), ("c", "xor-2d")):
            db.execute("INSERT INTO trial VALUES (?, ?, 'linear', 0, '{}', 1)", (trial, task))
            row = (trial, 640, "tv", "all", 0.5, 0.0, "ok", "", 0)
            db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO curve VALUES ('a', 640, ?)", (floats(log_p[::-1]),))
    db.close()
    return log_p


@pytest.mark.parametrize("schema", [1, 2])
def test_a_file_of_an_older_schema_keeps_its_curves_and_gets_what_it_lacks(tmp_path, schema):
    path = tmp_path / "results.db"
    log_p = written_by_an_older_version(path, schema)
    for _ in range(2):  # the second time it is of this schema
        with Store(path) as store:
            found = frames.results(store, {})
        assert found.predictions == {}
        assert found.pictures.keys() == {"gauss-nested"}  # of a plane nothing was kept
        picture = found.pictures["gauss-nested"]
        assert (picture.axes, picture.shape, picture.sparse.tolist()) == (("x",), (3,), [False] * 3)
        assert picture.x.tolist() == [[-1], [0], [1]]
        np.testing.assert_allclose(picture.posterior, np.exp(log_p), rtol=1e-6)
        np.testing.assert_allclose(picture.outputs["linear", 640], [np.exp(log_p[::-1])], rtol=1e-6)
        assert np.isnan(picture.log_density).all()  # which wasn't kept
    with Store(path) as store:
        store.add([result("b", seed=1)], ENVIRONMENT)
        assert list(store.rows("SELECT trial FROM prediction")) == [("b",)]
        assert store.done().keys() == {"a", "b", "c"}
        x, log_joint = np.zeros((4, 2)), np.log(np.full((4, 2), 0.125))
        drawing = Drawing(("x1", "x2"), (2, 2), x, log_joint, np.array([True, False, False, True]))
        told = TaskDescription({}, drawing, np.array([1.0]), np.log([[0.5, 0.5]]))
        store.describe({}, {"xor-2d": told})
        picture = frames.results(store, {}).pictures["xor-2d"]
    assert (picture.outputs, picture.sparse.tolist()) == ({}, [True, False, False, True])
    np.testing.assert_allclose(picture.log_density, np.log(0.25), rtol=1e-6)


def test_outputs_of_other_points_than_a_pictures_are_left_out(tmp_path):
    with Store(tmp_path / "results.db") as store:
        describe(store, ["a", "b"])
        other = result("b", seed=1)
        other.curves[640] = np.log(np.full((3, 2), 0.5))
        store.add([result("a"), other], ENVIRONMENT)
        picture = frames.results(store, {}).pictures["gauss-nested"]
    assert picture.outputs["linear", 640].shape == (1, 2, 2)


def test_pictures_of_many_inputs_show_the_predictions_at_their_points(tmp_path):
    with Store(tmp_path / "results.db") as store:
        describe(store, ["a"])
        x, log_p = np.array([[3.0, 4.0]]), np.log([[0.5, 0.5], [0.1, 0.9]])
        components = ("component 1", "component 2")
        drawing = Drawing(components, (), x, log_p[1:], np.array([True]), (0.5, 0.25), (1,))
        told = TaskDescription({}, drawing, np.array([0.25, 0.75]), log_p)
        store.describe({}, {"gauss-nested": told})
        store.add([result("a")], ENVIRONMENT)
        picture = frames.results(store, {}).pictures["gauss-nested"]
    assert (picture.axes, picture.shape, picture.shares) == (components, (), (0.5, 0.25))
    np.testing.assert_allclose(picture.outputs["linear", 640], [[[0.25, 0.75]]], rtol=1e-6)


def test_a_budget_stored_again_is_replaced_and_the_others_stay(tmp_path):
    with Store(tmp_path / "results.db") as store:
        store.add([result("a", 1.0)], ENVIRONMENT)
        store.add([TrialResult(result().trial, [Record(640, "tv", "all", 0.5, 0.0)])], ENVIRONMENT)
        store.add([TrialResult(result().trial, [Record(64, "tv", "all", 0.25, 0.0)])], ENVIRONMENT)
        assert store.done() == {"a": {64, 640, 1280}}
        rows = set(store.rows("SELECT budget, metric FROM record"))
        assert rows == {(64, "tv"), (640, "tv"), (1280, "information_gap")}
        assert list(store.rows("SELECT COUNT(*) FROM curve")) == [
            (0,)
        ]  # the curve at 640 was replaced by none


def test_what_an_exception_cut_short_is_tried_again_and_a_divergence_is_not(tmp_path):
    cut = result("cut")
    cut.blank(2560, "failed", "RuntimeError: no memory", again=True)
    with Store(tmp_path / "results.db") as store:
        store.add([cut], ENVIRONMENT)
        assert store.done() == {"cut": {640, 1280}}


def test_a_try_that_was_cut_short_erases_no_numbers(tmp_path):
    """A trial is trained to all its budgets when one is added, and a timeout is put down to all of them."""
    extended = Trial("gauss-nested", "linear", 0, "a", "{}", (640, 1280, 2560))
    with Store(tmp_path / "results.db") as store:
        store.add([result("a")], ENVIRONMENT)
        numbers, curve = (list(store.rows(f"SELECT * FROM {each}")) for each in ("record", "curve"))
        store.add(unscored([extended], "timeout", "too long", again=True), {"device": "gone"})
        assert store.done() == {"a": {640, 1280}}
        records = list(store.rows("SELECT * FROM record"))
        assert [row for row in records if row[1] < 2560] == numbers
        assert [row[6] for row in records if row[1] == 2560] == ["timeout"]
        assert list(store.rows("SELECT * FROM curve")) == curve
        assert store.environments() == [ENVIRONMENT]
        verify(store)
        store.add(unscored([extended], "failed", "no memory", again=True), ENVIRONMENT)  # again is replaced
        store.add([TrialResult(extended, [Record(2560, "tv", "all", 0.5, 0.0)])], ENVIRONMENT)
        assert store.done() == {"a": {640, 1280, 2560}}
        verify(store)


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    broken = result("b")
    broken.records.append(Record(640, "expected_kl", "all", 1.0, 0.0))  # the same number twice
    with Store(tmp_path / "results.db") as store:
        with pytest.raises(sqlite3.IntegrityError):
            store.add([result("a"), broken], ENVIRONMENT)
        assert store.done() == {}
        store.add([result("a")], ENVIRONMENT)
        assert set(store.done()) == {"a"}


def test_only_the_grids_own_trials_and_budgets_are_reported(tmp_path):
    with Store(tmp_path / "results.db") as store:
        store.add([result("a"), result("b", seed=1)], ENVIRONMENT)
        describe(store, ["b"])
        assert set(frames.results(store, {}).records.seed) == {1}


def test_the_file_is_in_wal_mode_and_says_whose_it_is(tmp_path):
    Store(tmp_path / "results.db").close()
    db = sqlite3.connect(tmp_path / "results.db")
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def foreign(path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE photos (id INTEGER)")
    db.commit()
    db.close()


def newer(path):
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (foreign, "found another program's"),
        (newer, "expected schema 4 or older, found 5"),
    ],
)
@pytest.mark.parametrize("use", [Store, set_aside, lambda path: Store(path, reading=True)])
def test_a_file_that_is_not_ours_is_refused_and_not_touched(tmp_path, make, words, use):
    path = tmp_path / "results.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=words) as error:
        use(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before


def test_a_results_file_set_aside_is_kept_under_a_new_name(tmp_path):
    path = tmp_path / "results.db"
    assert set_aside(path) is None
    for number in (1, 2):
        with Store(path) as store:
            store.add([result(str(number))], ENVIRONMENT)
        assert set_aside(path) == tmp_path / f"results.old-{number}.db"
        assert not path.exists()
    with Store(tmp_path / "results.old-1.db") as store:
        assert set(store.done()) == {"1"}


def test_a_trial_goes_by_the_name_that_the_last_grid_gave_it(tmp_path):
    with Store(tmp_path / "results.db") as store:
        store.add([result("a")], ENVIRONMENT)
        describe(store, {"a": ["gauss-nested", "./linear"]}, "./linear")
        assert set(frames.results(store, {}).records.architecture) == {"./linear"}


def test_a_damaged_description_names_the_file_and_closing_hides_no_error(tmp_path):
    path = tmp_path / "results.db"
    with Store(path) as store:
        store.describe({"suite": 1, "trials": 2})
    with sqlite3.connect(path) as db:
        db.execute("UPDATE run SET value = '{' WHERE key = 'trials'")
    db.close()
    damage = r"results\.db is damaged: expected the checksum of a row in table run, found another"
    with pytest.raises(StoreError, match=damage), Store(path) as store:
        store.run()
    with pytest.raises(KeyError), Store(path) as store:
        rows = store.rows("SELECT key FROM run")
        next(rows)
        raise KeyError
