"""What the project promises to whoever packages it, cites it or works on it: files beside the code."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("benchmarks", "suites", "runner", "reports")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ["3.11", "3.12", "3.13"]
FIELDS = {"input", "textarea", "dropdown", "checkboxes", "markdown"}  # that a form on GitHub may have


def read(name):
    return yaml.safe_load((ROOT / name).read_text())


def pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {plain(line.partition("==")[0]) for line in lines if "==" in line}


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# --- deprecations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
@pytest.mark.parametrize("module", ["benchmarks.tasks.shapes", "suites", "runner.cli", "reports.pages.board"])
def test_a_deprecation_in_our_code_fails_a_test(category, module):
    with pytest.raises(category, match="going"):
        warnings.warn_explicit("going", category, "file.py", 1, module)


def test_a_deprecation_in_others_code_is_a_warning():
    with pytest.warns(DeprecationWarning, match="going"):
        warnings.warn_explicit("going", DeprecationWarning, "file.py", 1, "pandas.core.runner")


# --- the package ------------------------------------------------------------------------------------------


def test_every_folder_of_a_package_is_shipped():
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    files = [path for house in HOUSES for path in (ROOT / house).rglob("*.*")]
    folders = {path.parent for path in files if path.suffix != ".pyc"}
    assert listed == {".".join(folder.relative_to(ROOT).parts) for folder in folders}


def test_what_is_needed_is_pinned():
    project = PROJECT["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    wanted = {plain(re.match(r"[\w.-]+", each)[0]) for each in [*project["dependencies"], *extras]}
    assert wanted - {project["name"]} <= pinned()


def test_the_pythons_are_the_same_everywhere():
    project, job = PROJECT["project"], read(".github/workflows/ci.yml")["jobs"]["test"]
    said = [each.rpartition(" ")[2] for each in project["classifiers"] if "Python :: 3." in each]
    assert said == job["strategy"]["matrix"]["python"] == PYTHONS
    assert project["requires-python"] == f">={PYTHONS[0]}"
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + PYTHONS[0].replace(".", "")


@pytest.mark.long
def test_whoever_installs_it_has_its_types(tmp_path):
    source, installed = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "tests"))
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(installed)
    (tmp_path / "use.py").write_text(
        "from benchmarks.errors import unknown\nfrom reports.numbers import number\n"
        "from runner.commands.parameters import Duration\nfrom suites import built_in\n"
        "reveal_type((unknown, built_in, Duration))\nnumber('one')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "use.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line.partition(": ")[2] for line in done.stdout.splitlines() if "use.py" in line]
    assert told[0].startswith('note: Revealed type is "tuple[def (kind: str') and "Any" not in told[0]
    (wrong,) = told[1:]
    assert 'Argument 1 to "number" has incompatible type "str"' in wrong


# --- files for code hosts and people ----------------------------------------------------------------------


def test_the_workflow_runs_what_everybody_runs():
    workflow = read(".github/workflows/ci.yml")
    assert set(workflow[True]) == {"push", "pull_request"}  # `on` in YAML 1.1
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "${{ matrix.python }}" in [step.get("with", {}).get("python-version") for step in steps]


def test_before_a_commit_runs_what_lint_runs():
    makefile = (ROOT / "Makefile").read_text()
    lint = re.findall(
        r"\$\(BIN\)/(\w+)( check| format --check)?", re.search(r"(?ms)^lint:.*?\n\n", makefile)[0]
    )
    hooks = [hook for repo in read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert [tool + what for tool, what in lint] == [
        hook["entry"].removesuffix(" --force-exclude") for hook in hooks
    ]
    assert all(hook["language"] == "system" for hook in hooks)  # the versions of the dev extra
    assert {tool for tool, _ in lint} <= pinned()


@pytest.mark.parametrize("name", ["bug", "wrong-number", "proposal"])
def test_a_template_is_a_form(name):
    form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"] and form["description"]
    fields = form["body"]
    assert {field["type"] for field in fields} <= FIELDS
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations") == {"required": True} for field in fields)


def test_the_citation_is_of_this_version_and_names_what_it_builds_on():
    cited = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["cff-version"] == "1.2.0"
    assert (str(cited["version"]), cited["license"]) == (PROJECT["project"]["version"], "MIT")
    assert [author["name"] for author in cited["authors"]] == [
        author["name"] for author in PROJECT["project"]["authors"]
    ]
    readme = re.sub(r"\s+", " ", (ROOT / "README.md").read_text())
    for work in cited["references"]:
        assert f"{work['authors'][0]['family-names']}" in readme
        assert re.sub(r"\W+$", "", work["title"]).lower() in readme.lower()
        assert str(work["year"]) in readme
