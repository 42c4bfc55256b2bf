"""House rules that a test can hold: which folder may import which, and what stays light."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("benchmarks", "suites", "reports", "runner")
MAY_IMPORT = {
    "benchmarks": set(),
    "suites": {"benchmarks"},
    "reports": set(),
    "runner": {"benchmarks", "suites", "reports"},
}


def imported(path):
    """Return the top-level packages that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("house", HOUSES)
def test_imports_follow_the_arrows(house):
    files = list((ROOT / house).rglob("*.py"))
    assert files
    for path in files:
        wrong = imported(path) & (set(HOUSES) | {"tests"}) - MAY_IMPORT[house] - {house}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_reports_know_no_torch():
    assert all("torch" not in imported(path) for path in (ROOT / "reports").rglob("*.py"))
    probe = "import sys, reports, reports.render, reports.leaderboard; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=ROOT)


def test_tasks_are_numpy_alone():
    scripts = {"fit_real_data.py"}  # run once by hand; no task imports it
    for path in (ROOT / "benchmarks" / "tasks").glob("*.py"):
        if path.name not in scripts:
            assert imported(path) - sys.stdlib_module_names <= {"numpy", "benchmarks"}, path


def test_a_wheel_has_the_packages_and_their_data_and_no_tests(tmp_path):
    source, installed = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "tests"))
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    wheel = zipfile.ZipFile(next(tmp_path.glob("*.whl")))
    wheel.extractall(installed)
    names = wheel.namelist()
    for data in (
        "suites/gaussian1d.toml",
        "reports/static/report.css",
        "benchmarks/architectures/modules.py",
        "benchmarks/verification/__init__.py",
        "benchmarks/facts.csv",
        "reports/coverage.csv",
    ):
        assert data in names
    assert any(name.startswith("reports/templates/") for name in names)
    assert not any(name.startswith("tests") for name in names)
    probe = (
        "import sys; from runner import cli; "
        f"assert cli.__file__.startswith({str(installed)!r}), cli.__file__; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, "--suite", "smoke", "--quick"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/smoke-quick/report/index.html").is_file()


RUNS_DATA = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml", "jsonpickle"}
CALLS = {"eval", "exec", "compile", "__import__"}
PICKLES = {"load", "read_pickle", "load_module", "load_state_dict_from_url", "system", "popen"}
OWN_PIPE = {  # between processes of one user: nothing of it comes from a file
    "reports/aside.py",
    "runner/execution/cluster_executor.py",  # to a cluster that is to be trusted: docs/how-to/cluster.md
}


def runs_data(path):
    """Return where a file has what would run code that it reads: (line, what)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or node.names[0].name
            if module.partition(".")[0] in RUNS_DATA:
                yield node.lineno, module
        elif isinstance(node, ast.Call):
            name, keywords = ast.unparse(node.func), {each.arg: each.value for each in node.keywords}
            module, _, function = name.rpartition(".")
            if name in CALLS or (
                function in PICKLES and module in ("torch", "os", "pd", "pandas", "torch.hub")
            ):
                yield node.lineno, name
            for option in ("allow_pickle", "shell"):
                if option in keywords and ast.unparse(keywords[option]) != "False":
                    yield node.lineno, f"{name}({option}=...)"


@pytest.mark.parametrize("house", HOUSES)
def test_nothing_that_is_read_is_run(house):
    for path in (ROOT / house).rglob("*.py"):
        name = str(path.relative_to(ROOT))
        found = [] if name in OWN_PIPE else list(runs_data(path))
        assert not found, f"{name}: {found}"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "torch.load(path)",
        "pd.read_pickle(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
    ],
)
def test_what_would_run_data_is_found(code, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(code)
    assert list(runs_data(path))
    path.write_text("np.load(path)\nre.compile(text)\nmodule.eval()\nsubprocess.run(words, shell=False)\n")
    assert not list(runs_data(path))
