"""What `--dry-run` tells: the trials and stacks of a run, and how long they would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reports.numbers import seconds
from runner import cost, plan, speeds
from runner.plan import Trial
from runner.progress import count
from runner.results import damage
from runner.run import Options, stacks_of
from runner.stacks import Stack
from runner.store import FILE, Store
from suites.suite import Suite


def dry_run(suite: Suite, options: Options) -> str:
    """Return what a run would do and how long it would take, in lines; writes nothing.

    Raises StoreError where there is a results file that can't be read.
    """
    trials = plan.plan(suite, options.mode)
    todo, known = trials, cost.NOTHING
    path = options.folder / FILE
    if path.exists() and path.stat().st_size:
        with Store(path, reading=True) as store:
            damage.verify(store)
            known = cost.measured(store, suite.tasks)
            if not options.fresh:
                todo = plan.missing(trials, store.done())
    budgets = ", ".join(map(str, suite.budgets))
    lines = [
        f"{suite.name}: {count(len(trials), 'trial')}, {len(trials) - len(todo)} there already,"
        f" in {options.folder}",
        f"  tasks: {', '.join(suite.tasks)}; seeds: {suite.seeds}; budgets: {budgets}",
    ]
    if not todo:
        return "\n".join([*lines, "nothing to train"])
    stacks = stacks_of(suite, todo, options, speeds.calibrated(suite.tasks), known)
    names = dict.fromkeys(stack.architecture for stack in stacks)
    groups = ([stack for stack in stacks if stack.architecture == name] for name in names)
    lines += [f"  {_line(group)}" for group in groups]
    return "\n".join([*lines, _whole(suite, todo, stacks, options.jobs, known)])


def _line(stacks: Sequence[Stack]) -> str:
    """Return what the stacks of one architecture are, in words."""
    one, several = stacks[0], "" if len(stacks) == 1 else f" in {len(stacks)} stacks"
    what = f"{one.architecture}: {count(sum(len(stack.trials) for stack in stacks), 'trial')}{several}"
    if one.mode != "none":
        sizes = _span([stack.networks for stack in stacks], str)
        free = "" if one.places == one.networks else f" in {one.places} places"
        what += (
            f", {sizes} network{'' if sizes == '1' else 's'}{free}, {count(one.steps, 'step')}, {one.mode}"
        )
    each = " each" if several else ""
    return f"{what}, {_about(one)} {_span([stack.cost for stack in stacks], seconds)}{each}"


def _span(values: Sequence[float], words: Callable[[float], str]) -> str:
    low, high = words(min(values)), words(max(values))
    return low if low == high else f"{low} to {high}"


def _about(stack: Stack) -> str:
    """Networks on fixed training sets may stop early."""
    return "at most" if stack.protocol == "dataset" and stack.mode != "none" else "about"


def _whole(suite: Suite, todo: Sequence[Trial], stacks: Sequence[Stack], jobs: int, known: cost.Known) -> str:
    workers = min(jobs, len(stacks))
    early = any(_about(stack) == "at most" for stack in stacks)
    expected = cost.total((stack.cost for stack in stacks), workers)
    source = "as a short calibration has it"
    if known.steps or known.fits:
        source = "as trials in the folder took, else as a short calibration has it"
    return (
        f"{suite.name}: {count(len(todo), 'trial')} in {count(len(stacks), 'stack')}, expected to take"
        f" {'at most' if early else 'about'} {seconds(expected)} on {count(workers, 'worker')}, {source}"
    )
