"""Classes on a line whose densities are mixtures: what one input is enough to show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.tasks.mixture import Mixture


def on_a_line(
    name: str,
    description: str,
    window: tuple[float, float],
    classes: Sequence[Sequence[tuple[float, float]]],
    priors: Sequence[float] | None = None,
    degrees: Sequence[float] | None = None,
) -> Mixture:
    """Return a task with one input; each class is a list of components (mean, standard deviation).

    The components of a class have equal shares; priors are equal unless given. degrees: degrees of freedom
    of each component, in the order of the classes, whose second number is then the scale.
    """
    components = np.array([component for each in classes for component in each])
    return Mixture(
        name=name,
        description=description,
        priors=np.full(len(classes), 1 / len(classes)) if priors is None else np.array(priors),
        labels=np.repeat(np.arange(len(classes)), [len(each) for each in classes]),
        means=components[:, :1],
        covariances=components[:, 1, None, None] ** 2,
        degrees=degrees,
        window=window,
    )


TASKS = {
    task.name: task
    for task in (
        on_a_line(
            name="comb-1d",
            description="Four narrow components of each class take turns along the line: seven crossings",
            window=(-5.0, 5.0),
            classes=[[(x, 0.3) for x in (-3.5, -1.5, 0.5, 2.5)], [(x, 0.3) for x in (-2.5, -0.5, 1.5, 3.5)]],
        ),
        on_a_line(
            name="rare-class-1d",
            description="N(0, 1) against N(3, 1) where only one example in a hundred is of class 1",
            window=(-4.0, 7.0),
            classes=[[(0.0, 1.0)], [(3.0, 1.0)]],
            priors=(0.99, 0.01),
        ),
        on_a_line(
            name="scale-only-1d",
            description="N(0, 1) against N(0, 4²): the means agree, so only the distance from 0 tells",
            window=(-12.0, 12.0),
            classes=[[(0.0, 1.0)], [(0.0, 4.0)]],
        ),
        on_a_line(
            name="heavy-tail-1d",
            description="Student-t, 2 degrees of freedom, against N(2, 1): the heavy tail wins on both sides",
            window=(-10.0, 12.0),
            classes=[[(0.0, 1.0)], [(2.0, 1.0)]],
            degrees=(2.0, np.inf),
        ),
        on_a_line(
            name="three-class-1d",
            description="N(-2, 0.7²), N(0, 2²), N(2, 0.7²): the wide class wins between and beyond them",
            window=(-7.0, 7.0),
            classes=[[(-2.0, 0.7)], [(0.0, 2.0)], [(2.0, 0.7)]],
        ),
        on_a_line(
            name="bimodal-1d",
            description="Class 0 has two modes, at -3 and 3, and class 1 lies between them: two crossings",
            window=(-7.0, 7.0),
            classes=[[(-3.0, 1.0), (3.0, 1.0)], [(0.0, 1.0)]],
        ),
        on_a_line(
            name="overlap-1d",
            description="N(0, 1) against N(0.2, 1): x tells 0.005 nats about the class, hardly anything",
            window=(-4.0, 4.2),
            classes=[[(0.0, 1.0)], [(0.2, 1.0)]],
        ),
    )
}
