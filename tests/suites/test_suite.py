"""Suites: what ships is valid, what is wrong is named."""

import json
import tomllib

import pytest

from suites import built_in
from suites.suite import Suite, SuiteError, load, narrow, read

VALID = """
name = "mine"
title = "Mine"
question = "Does it load?"
protocol = "stream"
batch = 64
budgets = [64, 640]
seeds = 3
tasks = ["gauss-nested"]
architectures = ["linear"]
reference = ["oracle"]
[quick]
budgets = [64]
seeds = 1
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", sorted(built_in()))
def test_every_suite_that_ships_loads_under_its_own_name(name):
    suite = load(name)
    assert suite.name == name
    assert suite.question.endswith("?")


def test_gaussian1d_is_the_grid_of_the_study():
    suite = load("gaussian1d")
    assert [budget // suite.batch for budget in suite.budgets] == [
        10,
        20,
        50,
        100,
        200,
        500,
        1000,
        2000,
        5000,
        10000,
    ]
    assert (suite.batch, suite.pool, suite.seeds, len(suite.tasks)) == (64, None, 10, 3)
    assert len(suite.architectures) >= 10
    assert suite.reference == ["oracle", "prior", "oracle-mle"]
    original = load("gaussian1d-original")
    assert (original.pool, original.most_steps, original.architectures) == (100_000, 50_000, ["mlp-64x64"])


def test_a_file_is_a_suite_too(write):
    assert load(str(write(VALID))).name == "mine"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("seeds = 3", "seeds = 0"), "seeds: expected greater than 0, found 0"),
        (("seeds = 3", 'seeds = "3"'), "seeds: expected integer, found '3'"),
        (("seeds = 3", ""), "seeds: expected a value, found nothing"),
        (("seeds = 3", "sedes = 3"), "unknown key 'sedes'; did you mean seeds"),
        (("[quick]", "[quick]\nseed = 1"), "quick.seed: expected only the keys budgets, seeds"),
        (("batch = 64", "batch = 64\nbatches = 3"), "unknown key 'batches'; did you mean batch"),
        (
            ("[64, 640]", "[64, 100]"),
            "budgets: expected multiples of the batch of 64 examples, found 100 (the nearest is 128)",
        ),
        (("[64, 640]", "[640, 64]"), "budgets: expected an increasing list, found [640, 64]"),
        (("[64, 640]", "[]"), "budgets: expected "),
        (("[64]\n", "[63]\n"), "quick.budgets: expected multiples of the batch"),
        (("batch = 64", "batch = 64\npool = 10"), "pool: expected at least one batch of 64, found 10"),
        (('"stream"', '"steam"'), "protocol: expected 'stream' or 'dataset', found 'steam'"),
        (('["gauss-nested"]', '["gaus-nested"]'), "unknown task 'gaus-nested'; did you mean gauss-nested"),
        (('["linear"]', '["liner"]'), "unknown architecture 'liner'; did you mean linear"),
        (
            ('["linear"]', '["linear", "linear"]'),
            "architectures: expected each name once, found linear, linear, oracle",
        ),
        (('"mine"', '"../mine"'), "name: expected "),
        (("seeds = 3", "seeds = "), "expected TOML, found a syntax error"),
    ],
)
def test_a_wrong_file_is_named_with_key_expected_and_found(write, change, words):
    assert change[0] in VALID
    path = write(VALID.replace(*change, 1))
    with pytest.raises(SuiteError) as error:
        read(path)
    assert str(error.value).startswith(f"suite file {path}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value).replace("\\n", "")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SuiteError, match="No such file"):
        load(str(tmp_path / "none.toml"))


def test_an_unknown_suite_names_near_matches():
    with pytest.raises(SuiteError, match="unknown suite 'gausian1d'; did you mean gaussian1d"):
        load("gausian1d")


def test_narrowing_replaces_lists_and_keeps_reference_rows():
    suite = load("gaussian1d")
    grid = narrow(suite, tasks=["gauss-nested"], architectures=["linear"], budgets=[128, 64, 64], seeds=2)
    assert (grid.tasks, grid.architectures, grid.budgets, grid.seeds) == (
        ["gauss-nested"],
        ["linear"],
        [64, 128],
        2,
    )
    assert grid.reference == suite.reference
    assert narrow(suite) == suite


def test_a_file_needs_only_the_grid(write):
    grid = VALID.split("[quick]", maxsplit=1)[0].splitlines()
    suite = read(write("\n".join(line for line in grid if not line.startswith(("title", "question")))))
    assert suite.quick is None
    assert suite.title == "mine"
    assert suite.reference == ["oracle"]
    quick = narrow(suite, quick=True)
    assert (quick.budgets, quick.seeds) == ([64, 640], 3)


def test_quick_takes_the_files_quick_grid_and_can_be_narrowed_further():
    suite = load("gaussian1d")
    quick = narrow(suite, quick=True)
    assert (quick.budgets, quick.seeds) == (suite.quick.budgets, suite.quick.seeds)
    assert narrow(suite, quick=True, seeds=1).seeds == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"budgets": [65]},
            "command line: budgets: expected multiples of the batch of 64 examples, found 65",
        ),
        ({"budgets": [-64]}, "command line: budgets.0: expected greater than 0, found -64"),
        ({"seeds": 0}, "command line: seeds: expected greater than 0, found 0"),
        ({"tasks": ["gauss-nest"]}, "command line: unknown task 'gauss-nest'; did you mean gauss-nested"),
    ],
)
def test_wrong_narrowing_says_so(options, words):
    with pytest.raises(SuiteError) as error:
        narrow(load("gaussian1d"), **options)
    assert str(error.value).startswith(words)


def test_suite_files_hold_only_what_they_say():
    for path in built_in().values():
        assert tomllib.loads(path.read_text())["name"] == path.stem


NOISY = "gauss-nested + label-noise(0.10)"


def test_a_transformed_task_has_one_spelling(write):
    spelled = "gauss-nested+label-noise(0.1)"
    assert narrow(load("smoke"), tasks=[NOISY]).tasks == [spelled]
    assert read(write(VALID.replace("gauss-nested", NOISY))).tasks == [spelled]


OWN = """
from benchmarks.registry import TASKS

near = far = TASKS["gauss-nested"]
"""


def test_each_task_may_be_there_once_however_it_is_written(write, tmp_path):
    own = tmp_path / "twins.py"
    own.write_text(OWN)
    for names, task in (
        ([f"{own}:near", f"{own}:far"], "gauss-nested"),
        ([f"{own}:near", "gauss-nested"], "gauss-nested"),
        (["gauss-nested+label-noise(0.1)", NOISY], "gauss-nested+label-noise(0.1)"),
    ):
        found = f"tasks: expected each task once, found {names[0]} and {names[1]}, both the task {task}"
        with pytest.raises(SuiteError) as error:
            narrow(load("smoke"), tasks=names)
        assert str(error.value) == f"command line: {found}"
        path = write(VALID.replace('["gauss-nested"]', json.dumps(names)))
        with pytest.raises(SuiteError) as error:
            read(path)
        assert str(error.value) == f"suite file {path}: {found}"


def test_a_batch_of_its_own_goes_with_every_grid_and_the_pool(write):
    own = VALID.replace("architectures = [", 'architectures = ["mlp-8+batch(256)", ')
    with pytest.raises(SuiteError, match=r"budgets of mlp-8\+batch\(256\): expected multiples of the batch"):
        load(str(write(own)))
    pool = 'name = "p"\nprotocol = "stream"\nbatch = 50\npool = 100\nbudgets = [12800]\nseeds = 1\n'
    pool += 'tasks = ["gauss-nested"]\narchitectures = ["mlp-8+batch(256)"]\n'
    with pytest.raises(SuiteError, match="pool: expected at least one batch of 256"):
        load(str(write(pool)))


def test_one_name_written_twice_is_found_whatever_its_spaces():
    with pytest.raises(SuiteError, match="architectures: expected each name once"):
        narrow(load("smoke"), architectures=["mlp-8+focal(2)", "mlp-8 + focal( 2 )"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budgets": [5]}, "budgets: expected at least 10 examples, a fifth of which is held out, found 5"),
        ({"pool": 100}, "pool: expected none under protocol dataset"),
    ],
)
def test_what_a_dataset_suite_cannot_have_is_said(change, words):
    data = load("gaussian1d-dataset").model_dump() | change
    with pytest.raises(ValueError, match=words):
        Suite.model_validate(data)


def test_quick_of_a_dataset_suite_has_fewer_steps():
    suite = load("gaussian1d-dataset")
    assert narrow(suite, quick=True).most_steps <= 500 < suite.most_steps
