"""`runner publish`: real runs, a folder that is replaced as a whole, and a branch of a real repository."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import SMOKE, call
from filelock import FileLock

from runner.cli import cli
from runner.commands.publish import publish as command
from runner.publishing import branch as branches
from runner.publishing import publish, site_folder
from runner.publishing.site_folder import MARKER, PublishError
from runner.run_folder import RunError

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / "examples/workflows/publish.yml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of one suite, the first of which says that it is older."""
    folder = tmp_path_factory.mktemp("runs")
    done = call(*SMOKE, "--quick", "--seeds", "1", "--output", "new", "--format", "none", cwd=folder)
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "new", folder / "old")
    manifest = json.loads((folder / "old/manifest.json").read_text())
    manifest["started"] = "2026-01-02T03:04:05+00:00"
    (folder / "old/manifest.json").write_text(json.dumps(manifest))
    return folder


def bytes_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def state(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [folder, *folder.rglob("*")]}


@pytest.fixture
def small(monkeypatch):
    """Sites of three little files instead of all pages; the text of one of them can be chosen."""
    text = {"index.html": "first"}

    def files(sources, title="", url=""):
        yield "static/report.css", "body {}\r\n"
        yield "index.html", text["index.html"]
        if text.get("fail"):
            raise OSError("disk full")
        yield "smoke/records.csv", "a,b\n"

    monkeypatch.setattr("reports.publishing.publication.site_files", files)
    return text


# --- the whole command ------------------------------------------------------------------------------------


def test_two_runs_become_a_site_that_is_the_same_when_published_again(runs, tmp_path):
    before = state(runs)
    site = tmp_path / "deep/site"
    done = call("publish", "old", "new", "--site", str(site), cwd=runs)
    assert done.returncode == 0, done.stderr
    assert f"site: {site}/index.html (2 runs, " in done.stdout and "no sitemap.xml" in done.stdout
    first = bytes_of(site)
    assert {".nojekyll", MARKER, "index.html", "feed.xml", "smoke/index.html", "smoke/history.html"} <= set(
        first
    )
    assert first["smoke/records.csv"] == (runs / "new/records.csv").read_bytes()
    assert first["smoke/leaderboard.csv"] == (runs / "new/leaderboard.csv").read_bytes()
    older = first["smoke/runs/2026-01-02T0304/manifest.json"]
    assert json.loads(older) == json.loads((runs / "old/manifest.json").read_text())
    done = call("publish", str(runs / "new"), str(runs / "old"), "--site", str(site), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert bytes_of(site) == first and os.listdir(site.parent) == ["site"]
    assert state(runs) == before  # not even a lock was written


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere", "--site", "s"], "folder nowhere: expected a run with results.db, found none"),
        (["new", "--site", "new"], "expected a new or empty folder, or a site that `runner publish` made"),
        (["new", "--site", "new/manifest.json"], "expected a folder, found a file"),
        (["new", "--site", "s", "--url", "example.org"], "expected an address such as https://example.org/"),
        (["new", "--site", "s", "--branch", "gh-pages"], "expected to be called in a git repository"),
        (["--site", "s"], "Missing argument"),
        (["new"], "Missing option '--site'"),
    ],
)
def test_a_wrong_call_is_one_line_and_writes_nothing(args, words, runs):
    before = state(runs)
    done = call("publish", *args, cwd=runs, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(runs.parent)})
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and state(runs) == before


def test_a_run_under_way_is_not_published(runs, tmp_path, small):
    shutil.copytree(runs / "new", tmp_path / "run")
    with FileLock(tmp_path / "run/.lock"), pytest.raises(RunError, match="another run is using it"):
        publish.write([tmp_path / "run"], tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("", ""),
        ("https://example.org", "https://example.org/"),
        ("http://localhost:8000/a/", "http://localhost:8000/a/"),
    ],
)
def test_an_address_ends_with_a_slash(url, clean):
    assert publish.checked_url(url) == clean


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "https://", "https://e.org/?a", "https://e.org/#a", "/a", "https://e. org"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(PublishError, match="expected an address"):
        publish.checked_url(url)


# --- the folder -------------------------------------------------------------------------------------------


def test_a_failure_in_the_middle_leaves_the_old_site(runs, tmp_path, small):
    site = tmp_path / "site"
    publish.write([runs / "new"], site)
    before = bytes_of(site)
    small |= {"index.html": "second", "fail": True}
    with pytest.raises(OSError, match="disk full"):
        publish.write([runs / "new"], site)
    assert bytes_of(site) == before and os.listdir(tmp_path) == ["site"]
    small["fail"] = False
    publish.write([runs / "new"], site)
    assert bytes_of(site) == before | {"index.html": b"second"}


def test_a_failed_swap_puts_the_old_site_back(runs, tmp_path, small, monkeypatch):
    site = tmp_path / "site"
    publish.write([runs / "new"], site)
    before, rename = bytes_of(site), os.rename

    def failing(one, other):
        if ".new-" in str(one):
            raise OSError("no")
        rename(one, other)

    monkeypatch.setattr(site_folder.os, "rename", failing)
    small["index.html"] = "second"
    with pytest.raises(OSError, match="no"):
        publish.write([runs / "new"], site)
    assert bytes_of(site) == before and os.listdir(tmp_path) == ["site"]


KILLED = """
import os, signal, sys
from pathlib import Path
import reports.publishing.publication
from runner.publishing import publish, site_folder

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def files(*_):
    yield "static/report.css", "body {}\\r\\n"
    if when == "building":
        die()
    yield "index.html", "second"
    yield "smoke/records.csv", "a,b\\n"

def rename(one, other):
    real(one, other)
    count.append(1)
    if when == f"rename {len(count)}":
        die()

def remove(folder, *args, **options):
    if Path(folder).name.startswith("site.old-"):
        die()
    rmtree(folder, *args, **options)

run, site, when = sys.argv[1:]
count, real, rmtree = [], os.rename, site_folder.shutil.rmtree
reports.publishing.publication.site_files = files
site_folder.os.rename = rename
if when == "removing":
    site_folder.shutil.rmtree = remove
publish.write([Path(run)], Path(site))
"""


@pytest.mark.parametrize(
    ("when", "there"),
    [("building", "first"), ("rename 1", None), ("rename 2", "second"), ("removing", "second")],
)
def test_a_kill_at_any_point_is_healed(when, there, runs, tmp_path, small):
    site = tmp_path / "site"
    publish.write([runs / "new"], site)
    before = bytes_of(site)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(runs / "new"), str(site), when],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(os.listdir(tmp_path)) > 1
    if there:  # else it is whole beside its place
        assert bytes_of(site) == before | {"index.html": there.encode()}
    # The next one brings a whole site back even if it fails itself.
    small["fail"] = True
    with pytest.raises(OSError, match="disk full"):
        publish.write([runs / "new"], site)
    assert bytes_of(site) == before | {"index.html": (there or "first").encode()}
    assert os.listdir(tmp_path) == ["site"]
    small |= {"fail": False, "index.html": "third"}
    publish.write([runs / "new"], site)
    assert bytes_of(site) == before | {"index.html": b"third"}


def test_what_tells_a_folder_as_ours_goes_last(tmp_path, monkeypatch):
    seen, rmtree = [], shutil.rmtree
    (tmp_path / "site/smoke").mkdir(parents=True)
    (tmp_path / "site" / MARKER).touch()

    def watched(folder):
        seen.append((tmp_path / "site" / MARKER).exists())
        rmtree(folder)

    monkeypatch.setattr(site_folder.shutil, "rmtree", watched)
    site_folder._remove(tmp_path / "site")
    assert seen == [True, True] and not (tmp_path / "site").exists()


def test_folders_that_only_look_like_leftovers_stay(runs, tmp_path, small):
    for name in ("site.old", "site.new", "site.old-x", "site.old-99999999", "site.new-publish-0000000a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").touch()
    (tmp_path / "site.old-99999999" / MARKER).touch()  # a copy that somebody made
    before = bytes_of(tmp_path)
    publish.write([runs / "new"], tmp_path / "site")
    publish.write([runs / "new"], tmp_path / "site")
    assert before.items() <= bytes_of(tmp_path).items()


def test_a_leftover_of_a_dead_process_goes_whatever_its_number(tmp_path):
    site = tmp_path / "site"
    with pytest.raises(KeyError), site_folder.beside(site) as new:
        (new / MARKER).touch()
        shutil.copytree(new, tmp_path / "kept")
        left = new
        raise KeyError
    (tmp_path / "kept").rename(left)
    site_folder.heal(site)
    assert os.listdir(tmp_path) == []


def test_one_process_at_a_time_publishes_a_site(tmp_path):
    with site_folder.held(tmp_path / "site"):
        with pytest.raises(PublishError, match="another process is publishing it"):
            publish.write([], tmp_path / "site")
        with site_folder.held(tmp_path / "other"):
            pass
    assert os.listdir(tmp_path) == []


def test_somebody_elses_files_stay_and_folders_are_refused(runs, tmp_path, small):
    site = tmp_path / "site"
    site.mkdir()
    publish.write([runs / "new"], site)  # an empty folder is fine
    (site / "CNAME").write_text("bench.example.org\n")
    small["index.html"] = "second"
    publish.write([runs / "new"], site)
    publish.write([runs / "new"], site)
    assert (site / "CNAME").read_text() == "bench.example.org\n"
    (site / "runs").mkdir()
    with pytest.raises(PublishError, match="expected nothing but the site in it, found runs"):
        publish.write([runs / "new"], site)


def test_a_link_to_a_site_stays_a_link(runs, tmp_path, small):
    (tmp_path / "current").symlink_to(tmp_path / "site")
    publish.write([runs / "new"], tmp_path / "current")
    small["index.html"] = "second"
    publish.write([runs / "new"], tmp_path / "current")
    assert (tmp_path / "current").is_symlink() and (tmp_path / "site/index.html").read_text() == "second"


# --- the branch -------------------------------------------------------------------------------------------


def git(*args, cwd):
    return subprocess.run(["git", *args], cwd=cwd, check=True, capture_output=True, text=True).stdout.rstrip(
        "\n"
    )


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a dirty work tree, a staged change and rules that would spoil a site."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    where = tmp_path / "repository"
    (where / "below").mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=where)
    git("config", "core.autocrlf", "true", cwd=where)
    (where / ".gitignore").write_text("*.csv\nsite/\n")
    (where / "file").write_text("one\n")
    git("add", ".", cwd=where)
    git("commit", "-qm", "first", cwd=where)
    (where / "file").write_text("two\n")
    git("add", "file", cwd=where)
    (where / "file").write_text("three\n")
    (where / "untracked").write_text("mine\n")
    monkeypatch.chdir(where / "below")
    return where


def published(runs, repository, branch="gh-pages"):
    command.main(
        [str(runs / "new"), "--site", str(repository / "site"), "--branch", branch], standalone_mode=False
    )


def test_a_branch_gets_the_site_and_nothing_else_is_touched(runs, repository, small, capsys):
    before = git("status", "--porcelain", cwd=repository), (repository / ".git/index").read_bytes()
    published(runs, repository)
    said = capsys.readouterr().out
    tip = git("rev-parse", "gh-pages", cwd=repository)
    assert f"branch gh-pages: committed {tip[:12]}, 5 files" in said and "git push REMOTE gh-pages" in said
    assert (git("status", "--porcelain", cwd=repository), (repository / ".git/index").read_bytes()) == before
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=repository) == "main"
    assert git("log", "--format=%s", "gh-pages", cwd=repository) == "Publish 1 run"  # a history of its own
    git("worktree", "add", "-q", "--detach", str(repository.parent / "out"), "gh-pages", cwd=repository)
    site = bytes_of(repository / "site")
    names = git("ls-tree", "-r", "--name-only", "gh-pages", cwd=repository).splitlines()
    assert sorted(names) == sorted(site)
    for name in names:
        shown = subprocess.run(
            ["git", "show", f"gh-pages:{name}"], cwd=repository, capture_output=True, check=True
        )
        assert shown.stdout == site[name]


def test_a_second_publication_is_a_child_of_the_first_and_no_change_is_no_commit(
    runs, repository, small, capsys
):
    published(runs, repository)
    first = git("rev-parse", "gh-pages", cwd=repository)
    published(runs, repository)
    assert "nothing has changed, no commit" in capsys.readouterr().out
    assert git("rev-parse", "gh-pages", cwd=repository) == first
    small["index.html"] = "second"
    git("remote", "add", "upstream", "nowhere", cwd=repository)
    git("remote", "add", "origin", "nowhere", cwd=repository)
    published(runs, repository)
    assert git("rev-parse", "gh-pages^", cwd=repository) == first
    assert git("show", "gh-pages:index.html", cwd=repository) == "second"
    assert "git push origin gh-pages" in capsys.readouterr().out


def test_files_that_somebody_put_on_the_branch_stay(runs, repository, small):
    published(runs, repository)
    index = {**os.environ, "GIT_INDEX_FILE": str(repository / "scratch")}
    blob = git("hash-object", "-w", "file", cwd=repository)
    subprocess.run(["git", "read-tree", "gh-pages"], cwd=repository, env=index, check=True)
    subprocess.run(
        ["git", "update-index", "--add", "--cacheinfo", f"100644,{blob},CNAME"],
        cwd=repository,
        env=index,
        check=True,
    )
    tree = subprocess.run(
        ["git", "write-tree"], cwd=repository, env=index, check=True, capture_output=True, text=True
    )
    made = git("commit-tree", tree.stdout.strip(), "-p", "gh-pages", "-m", "CNAME", cwd=repository)
    git("update-ref", "refs/heads/gh-pages", made, cwd=repository)
    small["index.html"] = "second"
    published(runs, repository)
    assert git("show", "gh-pages:CNAME", cwd=repository) == "three"
    assert git("show", "gh-pages:index.html", cwd=repository) == "second"


def site_of(folder, **files):
    """A site's folder by hand, with a suite and what tells it as ours."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in {"index.html": "a", "smoke/index.html": "b", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    own = sorted(path.name for path in folder.iterdir())
    (folder / MARKER).write_text("".join(f"{name}\n" for name in own))


@pytest.mark.parametrize("relative", [True, False])
def test_from_a_folder_below_the_top_what_somebody_put_on_the_branch_stays(relative, repository):
    site = Path("site") if relative else repository / "below/site"
    site_of(site, **{"gone/index.html": "c"})
    branches.commit(branches.find("gh-pages", MARKER), site, "one\n", MARKER)
    out = repository.parent / "out"
    git("worktree", "add", "-q", str(out), "gh-pages", cwd=repository)
    for name in ("CNAME", "docs/deep/a.md", "run\tme.sh"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    (out / "run\tme.sh").chmod(0o755)
    git("add", ".", cwd=out)
    git("commit", "-qm", "mine", cwd=out)
    git("worktree", "remove", str(out), cwd=repository)
    site_of(site, **{"index.html": "second"})
    branches.commit(branches.find("gh-pages", MARKER), site, "two\n", MARKER)
    rows = git("ls-tree", "-r", "--full-tree", "-z", "gh-pages", cwd=repository).split("\0")
    modes = {row.partition("\t")[2]: row[:6] for row in rows if row}
    mine = {"CNAME": "100644", "docs/deep/a.md": "100644", "run\tme.sh": "100755"}
    assert modes == dict.fromkeys(("index.html", "smoke/index.html", MARKER), "100644") | mine
    assert git("show", "gh-pages:index.html", cwd=repository) == "second"
    site_of(site, **{"docs/index.html": "a suite of that name"})
    with pytest.raises(branches.BranchError, match="expected no docs of somebody else's"):
        branches.commit(branches.find("gh-pages", MARKER), site, "three\n", MARKER)


@pytest.mark.parametrize(
    ("branch", "words"),
    [
        ("main", "expected one that isn't checked out"),
        ("elsewhere", "expected one that isn't checked out"),
        ("docs", "found one without .posterior-bench-site"),
        ("-x", "expected the name of a branch"),
        ("a..b", "expected the name of a branch"),
        ("@{-1}", "expected the name of a branch"),
    ],
)
def test_a_branch_that_is_somebody_elses_is_refused_before_anything_is_written(
    branch, words, runs, repository, small
):
    git("branch", "docs", cwd=repository)
    git("worktree", "add", "-q", "-b", "elsewhere", str(repository.parent / "other"), cwd=repository)
    with pytest.raises(branches.BranchError, match=re.escape(words)):
        published(runs, repository, branch)
    assert not (repository / "site").exists()


def test_a_branch_that_moved_meanwhile_keeps_its_new_commit(runs, repository, small):
    published(runs, repository)
    found = branches.find("gh-pages", MARKER)
    moved = git("commit-tree", "gh-pages^{tree}", "-p", "gh-pages", "-m", "meanwhile", cwd=repository)
    git("update-ref", "refs/heads/gh-pages", moved, cwd=repository)
    (repository / "site/index.html").write_text("later")
    with pytest.raises(branches.BranchError, match="git update-ref"):
        branches.commit(found, repository / "site", "late\n", MARKER)
    assert git("rev-parse", "gh-pages", cwd=repository) == moved


# --- the workflow -----------------------------------------------------------------------------------------


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_the_workflow_is_yaml_of_jobs_that_need_each_other():
    import yaml

    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow[True] == {
        "release": {"types": ["published"]},
        "workflow_dispatch": None,
    }  # `on` in YAML 1.1
    jobs = workflow["jobs"]
    for job in jobs.values():
        needed = job.get("needs", [])
        assert set([needed] if isinstance(needed, str) else needed) <= set(jobs)
    pythons = [step["with"] for step in steps(workflow) if "setup-python" in step.get("uses", "")]
    assert pythons and all(each["python-version"] == "3.12" for each in pythons)
    assert "https://download.pytorch.org/whl/cpu" in workflow["env"]["INSTALL"]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_workflow_calls_commands_and_options_that_there_are():
    import yaml

    scripts = [step["run"] for step in steps(yaml.safe_load(WORKFLOW.read_text())) if "run" in step]
    called = re.findall(r"^ *runner (.*)$", "\n".join(scripts), re.M)
    assert {line.split()[0] for line in called} == {"--suite", "publish", "diff"}
    for line in called:
        name = line.split()[0]
        command = cli.commands["run" if name.startswith("--") else name]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= known
    for script in scripts:
        subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "x", script), text=True, check=True)
