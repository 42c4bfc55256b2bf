"""What the measurements share: the device, and one line for each figure with its target beside it."""

import pytest

LINES = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", choices=["cpu", "cuda"], help="where stacks train")


def pytest_configure(config):
    config.stash.setdefault(LINES, [])


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("figures")
    for line in lines:
        terminalreporter.write_line(line)


@pytest.fixture
def device(request):
    """The device asked for; where this folder isn't named in the call, its option doesn't exist."""
    asked = request.config.getoption("--device", default="cpu")
    if asked == "cuda":
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU")
    return asked


@pytest.fixture
def cpu_only(device):
    if device != "cpu":
        pytest.skip("compares programs on the processor")


@pytest.fixture
def figure(request, benchmark):
    """A function that says a figure in one line, beside its target, and keeps it with the benchmark's times.

    figure(what, value, target=None, at_most=False, unit="", note=""): by how much a missed target is missed
    is in the line.
    """

    def say(what, value, target=None, at_most=False, unit="", note=""):
        line = f"{what}: {value:.3g}{unit}"
        if target is not None:
            reached = value <= target if at_most else value >= target
            verdict = "reached" if reached else f"missed by {abs(value / target - 1):.0%}"
            line += f" (target {'at most' if at_most else 'at least'} {target:g}{unit}: {verdict})"
        line += f"; {note}" if note else ""
        request.config.stash[LINES].append(line)
        print(f"\n{line}", end="", flush=True)
        benchmark.extra_info[what] = {"value": value, "target": target}

    return say
