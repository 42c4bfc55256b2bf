"""Results files under faults: flipped bytes, torn and foreign files, locks, full disks, kills."""

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from killing import die, in_child
from results_file import edit, made_older
from synthetic import write_run

from runner.cli import cli
from runner.plan import Trial
from runner.records import Record, TrialResult
from runner.results import damage, files, frames, schema, sqlite_errors
from runner.store import FILE, Damaged, Empty, Store, StoreError

GRID = {
    "tasks": ["gauss-nested"],
    "architectures": ["linear"],
    "reference": ["oracle"],
    "budgets": [640, 1280],
}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a small run with real ids, whose numbers are made up: four trials."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    write_run(folder, seeds=2, **GRID)
    return folder


@pytest.fixture
def path(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run" / FILE


def told(path):
    """Everything that pages are made from, as text and bytes."""
    with Store(path, reading=True) as store:
        found = frames.results(store, {})
    pictures = [(p.x.tobytes(), p.log_joint.tobytes(), p.sparse.tobytes()) for p in found.pictures.values()]
    exact = [(p.weights.tobytes(), p.log_posterior.tobytes()) for p in found.predictions.values()]
    drawn = [(key, each.tobytes()) for p in found.pictures.values() for key, each in p.outputs.items()]
    outputs = [(key, each.tobytes()) for p in found.predictions.values() for key, each in p.log_q.items()]
    tables = [frame.to_csv() for frame in (found.records, found.tasks, found.architectures)]
    return tables, found.suite, pictures, exact, drawn, outputs


def content(folder):
    return {each.name: each.read_bytes() for each in sorted(folder.iterdir()) if each.is_file()}


def trials(path):
    with Store(path, reading=True) as store:
        return set(store.done())


def result(seed=0, id="a", spec="{}", **values):
    trial = Trial("gauss-nested", "linear", seed, id, spec, (640,))
    return TrialResult(trial, [Record(640, name, "all", value, 0.0) for name, value in values.items()])


# --- flipped bytes ----------------------------------------------------------------------------------------


def flipped(path, places, rng):
    """Flip a bit at each place in turn; return how many flips were refused and how many changed nothing."""
    data, right, refused = path.read_bytes(), told(path), 0
    for place in places:
        torn = bytearray(data)
        torn[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(torn)
        try:
            assert told(path) == right, f"a flip of byte {place} changed what is shown"
        except StoreError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    path.write_bytes(data)
    return refused, len(places) - refused


def test_no_flipped_bit_changes_a_number_that_is_shown(path):
    """The numbers of flips are those of this file: two thirds of its bytes hold something that is shown."""
    rng, size = np.random.default_rng(0), path.stat().st_size
    refused, harmless = flipped(path, [*range(16), *rng.integers(0, size, 284)], rng)
    assert refused > 150
    assert harmless > 0  # else the test tests only that nothing can be read


def test_a_schema_that_is_no_text_any_more_is_damage(path):
    """SQLite quotes it in a message that Python can't decode; what is left is set aside."""
    data = path.read_bytes()
    assert data.count(b"CREATE TABLE record") == 1
    path.write_bytes(data.replace(b"CREATE TABLE record", b"CREATE \xd9ABLE record"))
    with pytest.raises(Damaged, match="can't decode byte 0xd9"):
        told(path)
    said = []
    with damage.opened(path, said.append) as store:
        assert not store.done()
    assert "no trial in it can be read" in said[0] and path.with_name("results.damaged-1.db").exists()


@pytest.mark.long
def test_no_flipped_bit_changes_a_number_anywhere(path):
    rng = np.random.default_rng(1)
    refused, harmless = flipped(path, range(0, path.stat().st_size, 17), rng)
    print(f"\n{refused:,} of {refused + harmless:,} flipped bits were refused, the others changed nothing")
    assert refused > 10_000


@pytest.mark.parametrize("seed", range(6))
def test_a_run_goes_on_from_a_file_with_flipped_bytes(path, seed):
    """Whatever is hit, nothing is lost but the trials that were hit."""
    before, rng = content(path.parent)[FILE], np.random.default_rng(seed)
    torn = bytearray(before)
    for place in rng.integers(100, len(torn), 3):
        torn[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(torn)
    with Store(path.parent / "right.db") as right:
        assert not right.done()
    said = []
    with damage.opened(path, said.append) as store:
        found = set(store.done())
        damage.verify(store)
    if said:
        aside = path.with_name("results.damaged-1.db")
        assert aside.read_bytes() == bytes(torn)
        assert f"it is kept as {aside}" in said[0] and f"; {len(found)} of " in said[0]
    path.with_name("whole.db").write_bytes(before)
    assert found <= trials(path.with_name("whole.db"))


def test_a_number_that_was_changed_costs_its_trial_alone(path):
    edit(path, "UPDATE record SET value = value * (1 + 1e-15) WHERE metric = 'tv' AND trial = (SELECT min(id)"
               " FROM trial)", sealed=False)  # fmt: skip
    torn, every = path.read_bytes(), trials(path)
    with pytest.raises(Damaged, match="the records of 1 of 4 trials have another checksum"):
        told(path)
    said = []
    with damage.opened(path, said.append) as store:
        assert set(store.done()) == every - {min(every)}
    assert "3 of 4 trials in it are whole and carried over, what is missing is trained again" in said[0]
    assert path.with_name("results.damaged-1.db").read_bytes() == torn


def test_records_of_no_trial_are_noticed(path):
    every = trials(path)
    edit(path, "DELETE FROM trial WHERE id = (SELECT max(id) FROM trial)")
    said = []
    with damage.opened(path, said.append) as store:
        assert set(store.done()) == every - {max(every)}
    assert "records are of no trial" in said[0]


def test_a_trial_whose_id_is_not_its_specs_hash_is_not_carried_over(path):
    every = trials(path)
    with Store(path) as store:
        store.add([result(tv=0.5)], {})
    edit(path, "UPDATE run SET value = '{' WHERE key = 'suite'", sealed=False)
    with damage.opened(path, print) as store:
        assert set(store.done()) == every


# --- files that are torn, or not ours ---------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path):
    path.write_bytes(np.random.default_rng(0).bytes(50_000))


def short(path):
    path.write_bytes(b"SQLite format 3\0")


def header(path):
    path.write_bytes(b"\xff" * 100 + path.read_bytes()[100:])


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def no_table(path):
    edit(path, "DROP TABLE picture", sealed=False)


def no_column(path):
    edit(path, "ALTER TABLE record DROP COLUMN reason", sealed=False)


def a_trigger(path):
    edit(path, "CREATE TRIGGER t AFTER INSERT ON trial BEGIN DELETE FROM record; END", sealed=False)


def log_alone(path):
    path.with_name(FILE + "-wal").write_bytes(path.read_bytes())
    path.unlink()


def json_damage(table, column):
    def make(path):
        edit(path, f"UPDATE {table} SET {column} = substr({column}, 3)", sealed=False)

    make.__name__ = f"json_in_{table}"
    return make


def blob_damage(path):
    edit(path, "UPDATE prediction SET log_q = zeroblob(3)", "UPDATE curve SET log_q = 7", sealed=False)


JSON = [("run", "value"), ("task", "summary"), ("architecture", "summary"), ("trial", "spec")]
JSON += [("environment", "description"), ("picture", "layout")]
DAMAGES = [cut, garbage, short, header, zeros, no_table, no_column, a_trigger, blob_damage]
DAMAGES += [json_damage(*each) for each in JSON]


@pytest.mark.parametrize("make", [*DAMAGES, log_alone], ids=lambda make: make.__name__)
def test_a_damaged_file_is_set_aside_and_the_run_goes_on(path, make):
    every = trials(path)
    make(path)
    before, said = content(path.parent), []
    with damage.opened(path, said.append) as store:
        assert set(store.done()) <= every
        store.add([result(tv=0.5)], {})
        damage.verify(store)
    assert len(said) == 1 and said[0].count("\n") == 0 and str(path) in said[0]
    after = content(path.parent)
    for name, data in before.items():  # under another name, with its log
        assert after[name.replace(FILE, "results.damaged-1.db")] == data
    with damage.opened(path, said.append) as store:
        assert "a" in store.done()
    assert len(said) == 1  # healed for good


@pytest.mark.parametrize("make", DAMAGES, ids=lambda make: make.__name__)
def test_commands_that_read_name_the_damage_and_leave_the_file(path, make, monkeypatch):
    make(path)
    before = content(path.parent)
    with pytest.raises(StoreError, match=r"results\.db.*damaged"), Store(path, reading=True) as store:
        damage.verify(store)
    assert content(path.parent) == before
    assert damage.set_aside(path).name in ("results.old-1.db", "results.damaged-1.db")  # --fresh
    assert not path.exists()


def test_a_second_damaged_file_has_a_name_of_its_own(path):
    for number in (1, 2, 3):
        garbage(path)
        damage.opened(path, print).close()
        assert path.with_name(f"results.damaged-{number}.db").exists()


def photos(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE photos (id INTEGER)")


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (photos, "expected a file of posterior-bench, found another program's"),
        (a_folder, "expected a file, found something else"),
        (a_pipe, "expected a file, found something else"),
    ],
)
def test_what_is_not_ours_is_left_alone(path, make, words):
    make(path)
    before = path.stat()
    for use in (lambda: damage.opened(path, print), lambda: damage.set_aside(path), lambda: told(path)):
        with pytest.raises(StoreError, match=words):
            use()
    assert path.stat()[:9] == before[:9] and os.listdir(path.parent) == [FILE]


def test_a_file_with_nothing_in_it_yet_is_filled(tmp_path):
    path = tmp_path / FILE
    with closing(sqlite3.connect(path)) as db:  # as a kill leaves it, before the tables are made
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert damage.set_aside(path) is None
    with pytest.raises(StoreError, match="expected a run, found none in it"):
        Store(path, reading=True)
    with damage.opened(path, print) as store:
        store.add([result(tv=0.5)], {})
    assert trials(path) == {"a"}


# --- a damaged write-ahead log ----------------------------------------------------------------------------


ADDED = {damage.digest(spec): spec for spec in map(str, range(10))}


@pytest.fixture
def killed(path, tmp_path):
    """The file of a run that was killed, with its last ten trials in the write-ahead log alone."""
    left = tmp_path / "killed" / FILE
    left.parent.mkdir()
    with Store(path) as store:
        for id, spec in ADDED.items():
            store.add([result(0, id, spec, tv=0.5)], {})
        for each in (path, files.log(path)):
            shutil.copyfile(each, left.with_name(each.name))
    return left


def test_no_flipped_bit_of_the_log_loses_a_trial_without_a_word(killed):
    base, log = killed.read_bytes(), files.log(killed).read_bytes()
    places = [*range(0, 32, 3), *np.random.default_rng(0).integers(32, len(log), 30)]
    for place in places:
        torn = bytearray(log)
        torn[place] ^= 1 << place % 8
        killed.write_bytes(base)
        files.log(killed).write_bytes(torn)
        with pytest.raises(Damaged, match="write-ahead log"):
            trials(killed)
    said, frame = [], 32 + 5 * (24 + 4096)
    files.log(killed).write_bytes(log[:frame] + b"\1" + log[frame + 1 :])
    torn = content(killed.parent)
    with damage.opened(killed, said.append) as store:
        carried = set(store.done())
        damage.verify(store)
    assert "frame 6 of " in said[0] and f"; {len(carried)} of {len(carried)} trials" in said[0]
    assert carried > trials_of(base, killed) and not carried >= {*ADDED}
    for name, data in torn.items():
        assert (killed.parent / name.replace(FILE, "results.damaged-1.db")).read_bytes() == data


def trials_of(data, path):
    path.with_name("alone.db").write_bytes(data)
    return trials(path.with_name("alone.db"))


def test_a_log_that_ends_anywhere_is_no_damage(killed):
    log, before = files.log(killed).read_bytes(), trials_of(killed.read_bytes(), killed)
    counts = []
    for size in (40, 1_000, *range(5_000, len(log), 8_000), len(log)):
        files.log(killed).write_bytes(log[:size])
        counts.append(len(trials(killed) - before))
    assert counts == sorted(counts) and (counts[0], counts[-1]) == (0, 10)


def test_a_log_that_was_begun_anew_is_no_damage(killed):
    """Its end is of an older round, and was folded in."""
    with Store(killed) as store:
        store.connection.execute("PRAGMA wal_checkpoint(RESTART)")
        store.add([result(11, "later", tv=0.5)], {})
        assert "later" in trials(killed)
        copy = killed.with_name("copy.db")
        for old, new in ((killed, copy), (files.log(killed), files.log(copy))):
            shutil.copyfile(old, new)
        assert len(trials(copy)) == 4 + 11


def test_a_foreign_file_with_a_damaged_log_is_left_alone(path):
    photos(path)
    files.log(path).write_bytes(b"\1" * 9000)
    before = content(path.parent)
    with pytest.raises(StoreError, match="expected a file of posterior-bench"):
        damage.opened(path, print)
    assert content(path.parent) == before


# --- kills while a file is set aside ----------------------------------------------------------------------


def kill_before(number):
    """Die before the number-th call that changes what is in a folder or waits for the disk."""
    calls = itertools.count(1)

    def watched(real, first, *rest, **options):
        there = isinstance(first, int) or (os.path.isabs(first) and os.path.exists(first))
        if there and next(calls) == number:
            die()
        return real(first, *rest, **options)

    for name in ("link", "rename", "replace", "unlink", "fsync"):
        setattr(os, name, partial(watched, getattr(os, name)))


def log_whole(path):
    pass


def log_torn(path):
    log = bytearray(files.log(path).read_bytes())
    log[len(log) // 2] ^= 4
    files.log(path).write_bytes(log)


def page_torn(path):
    fold(path)
    edit(path, "UPDATE record SET value = 7 WHERE trial = (SELECT min(trial) FROM record)", sealed=False)


def fold(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")


def stored(path):
    """The trials in a file that may be damaged, which stays as it is."""
    with damage.copied(path) as db:
        return set(damage.ids(db))


def fresh(path):
    damage.set_aside(path)
    damage.opened(path, print).close()


def plain(path):
    damage.opened(path, print).close()


@pytest.mark.parametrize("use", [fresh, plain], ids=lambda use: use.__name__)
@pytest.mark.parametrize(
    ("make", "links"), [(log_whole, True), (page_torn, True), (log_torn, True), (log_torn, False)]
)
def test_a_kill_while_a_file_is_set_aside_loses_and_mixes_nothing(killed, tmp_path, make, use, links):
    make(killed)
    every, before = stored(killed), content(killed.parent)
    undisturbed, said = tmp_path / "undisturbed", tmp_path / "said"
    shutil.copytree(killed.parent, undisturbed)
    plain(undisturbed / FILE)
    whole_ones = trials(undisturbed / FILE)

    def child(number):
        if not links:
            os.link = no_link
        kill_before(number)
        use(killed)

    nothing = [set()] if use is fresh else []
    ended, number = -signal.SIGKILL, 0
    while ended == -signal.SIGKILL:
        number += 1
        shutil.rmtree(killed.parent)
        killed.parent.mkdir()
        for name, data in before.items():
            (killed.parent / name).write_bytes(data)
        ended = in_child(partial(child, number), said)
        if killed.exists():
            try:
                assert trials(killed) in (every, whole_ones, *nothing)
            except Empty:
                assert nothing
            except Damaged:
                assert killed.read_bytes() == before[FILE], "it is set aside"
        with damage.opened(killed, print) as store:  # a plain run
            found = set(store.done())
            store.add([result(id="later", tv=0.5)], {})
            damage.verify(store)
        asides = list(killed.parent.glob("results.*-*.db"))
        assert found in (whole_ones, *nothing)
        assert found == every or any(stored(each) == every for each in asides), "lost"
        assert not any("later" in stored(each) for each in asides), "mixed"
        assert len(asides) <= 1 or not links
    assert ended == 0, said.read_text()
    assert number > 2 or (make, use) == (log_whole, plain)


def no_link(*_):
    raise OSError("no links here")


# --- an older schema --------------------------------------------------------------------------------------


def test_an_older_file_is_brought_up_to_date_and_kept(path):
    before = told(path)
    made_older(path)
    old, said = path.read_bytes(), []
    assert told(path) == before and path.read_bytes() == old  # reading leaves it as it is
    with damage.opened(path, said.append) as store:
        damage.verify(store)
    aside = path.with_name("results.schema-3-1.db")
    assert f"the file of the older schema is kept as {aside}" in said[0]
    assert aside.read_bytes() == old and told(path) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from runner import store
from runner.results import files, schema

def dies(module, name, count):
    real, calls = getattr(module, name), []
    def call(*args, **options):
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    setattr(module, name, call)

dies({"os": os, "schema": schema, "files": files}[sys.argv[2]], sys.argv[3], int(sys.argv[4]))
store.Store(Path(sys.argv[1])).close()
"""
MOMENTS = [("schema", "put", 4), ("schema", "_sum", 2), ("files", "keep", 1), ("files", "swap_in", 1)]
MOMENTS += [("os", "replace", 1), ("files", "sync", 2)]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[1]}-{moment[2]}")
def test_a_kill_while_a_file_is_brought_up_to_date_leaves_a_whole_one(path, moment):
    before = told(path)
    made_older(path)
    old = path.read_bytes()
    call = [sys.executable, "-c", KILLED, str(path), *map(str, moment)]
    done = subprocess.run(call, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert told(path) == before
    with Store(path) as store:
        damage.verify(store)
    assert told(path) == before
    assert path.with_name("results.schema-3-1.db").read_bytes() == old
    assert not path.with_name("results.schema-3-2.db").exists()


# --- locks, protection, full disks ------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(sqlite_errors, "PATIENCE", 0.2)


@contextmanager
def locked(path):
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db


def test_a_locked_file_is_named_and_what_was_stored_stays(path, impatient):
    with Store(path) as store:
        store.add([result(tv=0.5)], {})
        with locked(path), pytest.raises(StoreError, match=r"results\.db: another program locks it"):
            store.add([result(1, "b", tv=0.5)], {})
        store.add([result(2, "c", tv=0.5)], {})
    assert {"a", "c"} < trials(path) and "b" not in trials(path)


def test_a_lock_of_a_moment_is_waited_for(path):
    with Store(path) as store, locked(path) as other:
        release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
        release.start()
        store.add([result(tv=0.5)], {})
        release.join()
    assert "a" in trials(path)


def test_a_reader_sees_one_moment_and_keeps_nobody_waiting(path):
    with Store(path) as writer:
        writer.describe({"wall_seconds": 1.0})
        with Store(path, reading=True) as reader:
            writer.add([result(tv=0.5)], {})
            assert "a" not in reader.done()
            damage.verify(reader)
    assert "a" in trials(path)


def fill(store):
    """Add trials until that fails; return the error and how many were stored."""
    for number in range(10_000):
        try:
            values = {f"m{metric}": 0.5 for metric in range(200)}
            store.add([result(number, f"t{number}", **values)], {})
        except StoreError as error:
            return str(error), number
    raise AssertionError("the disk was never full")


def test_a_full_disk_is_told_and_loses_nothing_that_was_stored(path):
    with Store(path) as store:
        (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
        store.connection.execute(f"PRAGMA max_page_count = {pages + 30}")
        error, count = fill(store)
        assert error.startswith(f"results file {path}: the disk is full; what was stored is kept: free some")
        assert count > 1
        store.connection.execute("PRAGMA max_page_count = 100000")
        store.add([result(7, "later", tv=0.5)], {})
        damage.verify(store)
    assert trials(path) >= {f"t{number}" for number in range(count)} | {"later"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if os.geteuid() or subprocess.run(call, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(small_disk, whole):
    path = small_disk / FILE
    shutil.copyfile(whole / FILE, path)
    with Store(path) as store:
        error, count = fill(store)
        assert error.startswith(f"results file {path}: the disk is full")
    assert count > 1
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    with damage.opened(path, print) as store:  # the same command again
        assert set(store.done()) >= {f"t{number}" for number in range(count)}
        store.add([result(7, "later", tv=0.5)], {})
    assert "later" in trials(path)


def test_a_disk_that_is_full_while_a_file_is_mended(small_disk, whole):
    path = small_disk / FILE
    shutil.copyfile(whole / FILE, path)
    specs = {damage.digest(spec): spec for spec in map(str, range(100))}
    with Store(path) as store:
        values = {f"m{metric}": 0.5 for metric in range(80)}
        store.add([result(0, id, spec, **values) for id, spec in specs.items()], {})
    edit(path, f"UPDATE record SET value = 7 WHERE trial = '{min(specs)}' AND metric = 'm0'", sealed=False)
    torn, filler = path.read_bytes(), small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    for left in (500_000, 200_000):
        filler.write_bytes(bytes(free - left))
        with pytest.raises(StoreError, match="the disk is full"):
            damage.opened(path, print)
        assert path.read_bytes() == torn and {each.name for each in small_disk.iterdir()} == {FILE, "filler"}
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    said = []
    with damage.opened(path, said.append) as store:  # the same command again
        assert {*store.done()} >= {*specs} - {min(specs)}
    assert "; 103 of 104 trials in it are whole and carried over" in said[0]
    assert path.with_name("results.damaged-1.db").read_bytes() == torn


def test_a_folder_that_may_only_be_read(small_disk, whole):
    path = small_disk / FILE
    shutil.copyfile(whole / FILE, path)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert told(path) == told(whole / FILE)
    with pytest.raises(StoreError, match=r"results\.db: expected it and its folder to be writable, found: "):
        damage.opened(path, print)


def test_a_crashed_run_in_a_folder_that_may_only_be_read(small_disk, path):
    """Its last trials are in the write-ahead log alone, and SQLite could not fold that in."""
    with Store(path) as store:
        store.add([result(tv=0.5)], {})
        for each in (path, files.log(path)):
            shutil.copyfile(each, small_disk / each.name)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "a" in trials(small_disk / FILE)


def test_the_commands_say_so_in_a_line_with_exit_code_two(path, capsys, monkeypatch):
    """Through the command line: a damaged file under every command that reads one."""
    from runner.cli import _guarded

    garbage(path)
    before, run = content(path.parent), str(path.parent)
    for args in (["report", run], ["compare", "linear", "oracle", "--run", run], ["diff", run, run],
                 ["publish", run, "--site", str(path.parent.parent / "site")],
                 ["--suite", "smoke", "--dry-run", "--output", run]):  # fmt: skip
        assert _guarded(lambda args=args: cli.main(args, standalone_mode=False)) == 2, args
        said = capsys.readouterr().err.strip()
        assert said.startswith(f"error: results file {path} is damaged: ") and "\n" not in said, said
        assert {name: data for name, data in content(path.parent).items() if name != ".lock"} == before


def test_every_table_is_checked():
    """What `verify` and `_carry` go through is all that there is."""
    assert {*damage.DESCRIBING, *damage.OUTPUTS, "trial"} == set(schema.COLUMNS)
