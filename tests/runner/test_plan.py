"""Trial ids, modes and stacks."""

import dataclasses
import hashlib
import json
import sys

import pytest

from benchmarks import plug_ins, registry
from benchmarks.task import FILE_MODULE, TaskError
from runner import plan
from runner.stacks import STACK_SIZE, shared_examples, stacked
from suites.suite import load, narrow

SUITE = load("gaussian1d")


def ids(suite, mode="compiled"):
    return {(t.task, t.architecture, t.seed): t.id for t in plan.plan(suite, mode)}


def stacks(suite, jobs=2, mode="eager"):
    return stacked(suite, plan.plan(suite, mode), mode, "cpu", jobs, lambda *_: 100)


def test_a_plan_has_every_trial_once():
    trials = plan.plan(SUITE, "compiled")
    assert len(trials) == len({trial.id for trial in trials}) == 3 * 14 * 10


def test_an_id_ignores_the_suites_name_and_the_budgets_asked_for():
    renamed = SUITE.model_copy(update={"name": "other", "title": "x", "question": "y"})
    fewer = narrow(SUITE, budgets=[640])
    assert ids(renamed) == ids(SUITE) == ids(fewer)


@pytest.mark.parametrize("change", [{"batch": 32}, {"pool": 1000}])
def test_an_id_knows_the_protocol(change):
    assert not set(ids(SUITE).values()) & set(ids(SUITE.model_copy(update=change)).values())


def test_an_id_knows_the_mode_where_it_matters():
    compiled, eager = ids(SUITE, "compiled"), ids(SUITE, "eager")
    assert compiled["gauss-nested", "linear", 0] != eager["gauss-nested", "linear", 0]
    assert compiled["gauss-nested", "oracle-mle", 0] == eager["gauss-nested", "oracle-mle", 0]


def test_an_id_knows_what_a_task_and_an_architecture_are(monkeypatch):
    before = ids(SUITE)
    task = registry.TASKS["gauss-nested"]
    monkeypatch.setitem(registry.TASKS, "gauss-nested", dataclasses.replace(task, means=(0.0, 1.5)))
    network = registry.ARCHITECTURES["linear"]
    recipe = dataclasses.replace(network.recipe, learning_rate=2e-3)
    monkeypatch.setitem(registry.ARCHITECTURES, "linear", dataclasses.replace(network, recipe=recipe))
    changed = {key for key, value in ids(SUITE).items() if before[key] != value}
    assert changed == {key for key in before if key[0] == "gauss-nested" or key[1] == "linear"}


def test_a_spec_is_plain_data_that_says_what_the_id_stands_for():
    spec = json.loads(plan.plan(SUITE, "compiled")[0].spec)
    assert spec["task"]["means"] == [0.0, 3.0]
    assert spec["architecture"]["recipe"]["learning_rate"] == 1e-3
    assert spec["protocol"] == {"kind": "stream", "batch": 64, "pool": None}


def test_the_mode_follows_the_suites_own_schedule_and_the_compiler(monkeypatch):
    monkeypatch.setattr(plan, "compiler_present", lambda: True)
    assert plan.mode(SUITE, quick=False) == "compiled"
    assert plan.mode(SUITE, quick=True) == "eager"
    assert plan.mode(load("smoke"), quick=False) == "eager"
    monkeypatch.setattr(plan, "compiler_present", lambda: False)
    assert plan.mode(SUITE, quick=False) == "eager"


def test_stacks_hold_every_trial_once_and_one_architecture_each():
    made = stacks(SUITE)
    assert sorted(t.id for stack in made for t in stack.trials) == sorted(
        t.id for t in plan.plan(SUITE, "eager")
    )
    assert all(len({t.architecture for t in stack.trials}) == 1 for stack in made)
    assert {len(stack.trials) for stack in made} == {30}
    assert all(stack.mode == "none" for stack in made if stack.architecture in SUITE.reference)


def test_stacks_are_cut_to_size_and_to_the_number_of_workers():
    many = narrow(SUITE, architectures=["linear"], seeds=100)
    assert max(len(stack.trials) for stack in stacks(many)) <= STACK_SIZE
    one = SUITE.model_copy(update={"architectures": ["linear"], "reference": []})
    assert [len(stack.trials) for stack in stacks(one, jobs=2)] == [15, 15]
    assert [len(stack.trials) for stack in stacks(one, jobs=1)] == [30]
    assert [len(stack.trials) for stack in stacks(one, jobs=2, mode="compiled")] == [30]
    assert [len(stack.trials) for stack in stacks(narrow(one, seeds=12), mode="compiled")] == [30, 6]


def test_the_costliest_stacks_come_first():
    made = stacked(SUITE, plan.plan(SUITE, "eager"), "eager", "cpu", 2, lambda network, *_: len(network.name))
    assert [stack.cost for stack in made] == sorted((stack.cost for stack in made), reverse=True)


def test_trials_that_began_together_go_on_together_if_all_are_there():
    suite = narrow(SUITE, architectures=["linear", "mlp-16x16"], tasks=["gauss-nested", "gauss-separated"])
    trials = plan.plan(suite.model_copy(update={"reference": []}), "eager")
    linear, other = trials[:20], trials[20:]
    began = [linear[i].id for i in (7, 3, 11)]
    sets = [
        began,
        [linear[3].id, linear[4].id],  # less than one that it overlaps with
        [linear[0].id, other[0].id],  # of two architectures
        [linear[5].id, linear[5].id],
        [linear[6].id, "somebody else's"],
        [],
    ]
    made = stacked(suite, trials, "eager", "cpu", 2, lambda *_: 100, together=sets)
    ids = [[trial.id for trial in stack.trials] for stack in made]
    assert began in ids
    assert sorted(len(each) for each in ids if each != began) == [17, 20]
    assert sorted(each for part in ids for each in part) == sorted(trial.id for trial in trials)
    whole = [trial.id for trial in linear]
    made = stacked(suite, linear, "eager", "cpu", 2, lambda *_: 100, together=[whole])
    assert [[trial.id for trial in stack.trials] for stack in made] == [whole]


def test_examples_are_shared_by_all_that_train_where_two_architectures_do():
    suite = narrow(load("smoke"), architectures=["linear", "mlp-16x16"], tasks=["gauss-nested"], seeds=2)
    made = stacked(suite, plan.plan(suite, "eager"), "eager", "cpu", 1, lambda *_: 7)
    shared = shared_examples(made, "there")
    assert {stack.shared for stack in shared if stack.mode != "none"} == {"there"}
    assert {stack.shared for stack in shared if stack.mode == "none"} == {""}
    alone = [stack for stack in made if stack.architecture != "linear"]
    assert shared_examples(alone, "there") == alone


def test_missing_are_the_trials_that_lack_a_budget():
    suite = narrow(SUITE, architectures=["linear"], budgets=[640, 1280], seeds=1)
    trials = plan.plan(suite, "eager")
    done = {trials[0].id: {640, 1280}, trials[1].id: {640}}
    assert trials[0] not in plan.missing(trials, done)
    assert {trials[1], trials[2]} <= set(plan.missing(trials, done))


OWN = """
import numpy as np

class Coin:
    name, version, features, classes, priors = "coin", 1, 1, 2, (0.5, 0.5)

    def sample(self, n, rng):
        y = rng.integers(2, size=n)
        return MEAN * y[:, None] + rng.standard_normal((n, 1)), y

    def log_joint(self, x):
        return -0.5 * (x - MEAN * np.arange(2)) ** 2 - LOG

LOG = 0.5 * np.log(8 * np.pi)
"""


def loaded_anew(path):
    """Return the ids of a grid over a file's task, in a process that hasn't seen the file before."""
    plug_ins.task.cache_clear()
    registry._transformed.cache_clear()
    for name in [name for name in sys.modules if name.startswith(f"{FILE_MODULE}{path.stem}_")]:
        del sys.modules[name]
    tasks = [f"{path}:Coin", "gauss-nested"]
    if path.stem == "shifted":
        tasks[0] += "+prior-shift(0.9,0.1)"
    found = ids(narrow(SUITE, tasks=tasks, seeds=1), "eager")
    return {key: value for key, value in found.items() if key[0] != "gauss-nested"}, {
        key: value for key, value in found.items() if key[0] == "gauss-nested"
    }


@pytest.mark.parametrize("name", ["coin.py", "shifted.py"])
def test_an_edited_file_trains_anew(tmp_path, monkeypatch, name):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # whose cache takes two edits in a second for one
    path = tmp_path / name
    path.write_text(OWN + "MEAN = 2.0\n")
    before, registered = loaded_anew(path)
    assert len(before) == 14
    assert loaded_anew(path) == (before, registered)
    for edit in ("MEAN = 2.5\n", "MEAN = 2.0\nLOG += 1e-6\n"):
        path.write_text(OWN + edit)
        after, still = loaded_anew(path)
        assert not set(after.values()) & set(before.values())
        assert still == registered


def test_registered_tasks_need_no_fingerprint():
    keys = {"task", "architecture", "protocol", "seed", "mode", "engine", "evaluation"}
    for trial in plan.plan(narrow(load("discrete"), seeds=1), "eager"):  # transformed ones too
        assert set(json.loads(trial.spec)) == keys


def test_a_files_task_that_breaks_its_contract_is_named_before_anything_is_trained(tmp_path):
    path = tmp_path / "faulty_coin.py"
    path.write_text(OWN)
    with pytest.raises(TaskError, match=r"task coin: sample raised NameError: name 'MEAN' is not defined"):
        plan.plan(narrow(SUITE, tasks=[f"{path}:Coin"]), "eager")


def dataset(**changes):
    suite = load("gaussian1d-dataset").model_copy(
        update={"architectures": ["linear", "random-forest"], "reference": ["oracle-mle"], "seeds": 1}
    )
    return suite.model_copy(update=changes)


def test_under_dataset_each_budget_is_a_trial_of_its_own():
    trials = plan.plan(dataset(budgets=[100, 1000]), "eager")
    assert len(trials) == len({trial.id for trial in trials}) == 3 * 3 * 2
    assert {trial.budgets for trial in trials} == {(100,), (1000,)}
    done = {trials[0].id: {100}}
    assert plan.missing(trials, done) == trials[1:]


@pytest.mark.parametrize("change", [{"batch": 32}, {"steps": 77}])
def test_a_schedule_is_part_of_a_networks_id_alone(change):
    before, after = plan.plan(dataset(), "eager"), plan.plan(dataset(**change), "eager")
    changed = {a.architecture for a, b in zip(before, after, strict=True) if a.id != b.id}
    assert changed == {"linear"}


def test_an_ensembles_members_count_in_a_stacks_places():
    suite = dataset(architectures=["mlp-16x16+ensemble(5)"], reference=[], seeds=10)
    made = stacked(suite, plan.plan(suite, "eager"), "eager", "cpu", 1, lambda *_: 100)
    assert max(stack.networks for stack in made) == 30
    assert {stack.parameters for stack in made} == {500}
    assert sum(len(stack.trials) for stack in made) == len(plan.plan(suite, "eager"))


def test_a_dataset_suite_never_compiles():
    assert plan.mode(dataset(steps=100_000), quick=False) == "eager"


def test_ids_are_what_they_were():
    """Results of earlier versions are found again, and those of strangers are checked by recomputing ids."""
    narrowed = {
        "gaussian1d": {"architectures": ["linear", "mlp-16x16+focal(2)", "mlp(width=7, depth=2)"]},
        "prior-shift": {},
        "gaussian1d-dataset": {},
    }
    found = {}
    for name, grid in narrowed.items():
        trials = plan.plan(narrow(load(name), seeds=2, **grid), "compiled")
        rows = [row for trial in trials for row in trial.rows]
        assert all(hashlib.sha256(row.spec.encode()).hexdigest()[:16] == row.id for row in rows)
        found[name] = hashlib.sha256(" ".join(row.id for row in rows).encode()).hexdigest()[:16]
    assert found == {
        "gaussian1d": "be9bc3f7f4a029bf",
        "prior-shift": "5f35c5a02f2116f6",
        "gaussian1d-dataset": "1557c49c470eba70",
    }


def test_many_workers_get_stacks_cut_between_programs_and_few_do_not():
    few, many = stacks(SUITE, jobs=2, mode="compiled"), stacks(SUITE, jobs=100, mode="compiled")
    assert sorted(t.id for stack in many for t in stack.trials) == sorted(
        t.id for stack in few for t in stack.trials
    )
    assert {len(stack.trials) for stack in few} == {30}
    # These have 30 places; what isn't compiled is cut to single trials.
    assert {len(stack.trials) for stack in many if stack.compiles} == {30}
    big = stacked(SUITE, plan.plan(SUITE, "compiled"), "compiled", "cpu", 100, lambda *_: 100_000)
    assert {len(stack.trials) for stack in big if stack.compiles} == {5}
