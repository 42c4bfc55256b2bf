"""Charts drawn in other processes: the same SVG, whatever becomes of these."""

import pytest

from reports import drawing, render, site, svg
from reports.leaderboard import summarise


def spec(title="a"):
    return {
        "mark": "bar",
        "data": {"values": [{"x": 1, "y": 2.5}, {"x": 2, "y": 1e-7}]},
        "encoding": {name: {"field": name, "type": "quantitative"} for name in "xy"},
        "config": {},
        "title": title,
    }  # fmt: skip


@pytest.fixture
def fresh(monkeypatch):
    """Processes of a test's own; call with the number of cores that there seem to be."""

    def start(cores=2):
        monkeypatch.setattr(drawing, "_cores", lambda: cores)
        drawing._pool.cache_clear()
        drawing._submitted.cache_clear()
        return drawing._pool()[1]

    yield start
    pool, workers = drawing._pool()
    pool.shutdown()
    while not workers.empty():
        drawing._end(workers.get())
    drawing._pool.cache_clear()
    drawing._submitted.cache_clear()


def held(workers):
    """The workers, which stay where they are."""
    there = [workers.get() for _ in range(workers.qsize())]
    for worker in there:
        workers.put(worker)
    return there


def test_other_processes_draw_what_this_one_draws(fresh, monkeypatch):
    expected = [drawing.draw(spec(title)) for title in ("a", "ü \u2028 & <b>", "c")]
    workers = fresh()
    monkeypatch.setattr(drawing, "draw", lambda _: pytest.fail("drawn in this process"))
    futures = [drawing.submit(spec(title)) for title in ("a", "ü \u2028 & <b>", "c")]
    assert [future.result() for future in futures] == expected
    assert len(held(workers)) == drawing.WORKERS and None not in held(workers)


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_process_that_dies_loses_no_chart(fresh, when, monkeypatch):
    workers = fresh()
    for worker in held(workers):
        if when == "before":
            worker.kill()
            worker.wait()
        else:  # it reads the specification and ends without an answer
            monkeypatch.setattr(worker.stdin, "flush", lambda worker=worker: worker.kill())
    futures = [drawing.submit(spec(str(number))) for number in range(4)]
    assert [future.result() for future in futures] == [drawing.draw(spec(str(number))) for number in range(4)]
    assert held(workers) == [None, None]


def test_where_no_process_can_start_or_would_help_this_one_draws(fresh, monkeypatch):
    assert held(fresh(cores=1)) == [None]
    assert drawing.submit(spec()).result() == drawing.draw(spec())
    monkeypatch.setattr(drawing.sys, "executable", "/nowhere/python")
    assert held(fresh()) == [None, None]
    assert drawing.submit(spec()).result() == drawing.draw(spec())


def test_a_folder_with_modules_of_our_names_is_not_imported(fresh, tmp_path, monkeypatch):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    workers = fresh()
    assert drawing.submit(spec()).result() == drawing.draw(spec())
    assert None not in held(workers)


def test_a_specification_that_cannot_be_drawn_raises_here(fresh):
    fresh()
    with pytest.raises(ValueError, match="conversion failed"):
        drawing.submit(spec() | {"mark": 3}).result()


def test_reports_are_the_same_with_and_without_processes(fresh, results, tmp_path):
    written = []
    for cores in (1, 2):
        fresh(cores)
        render.write_report(results, tmp_path / str(cores))
        there = [path for path in (tmp_path / str(cores)).rglob("*") if path.is_file()]
        written.append({path.relative_to(tmp_path / str(cores)): path.read_bytes() for path in there})
    assert len(written[0]) > 20 and written[0] == written[1]


def test_clips_have_one_name_each_in_a_run_and_the_same_in_every_process(fresh, results):
    fresh()
    summary = summarise(results)
    pages = {name: text for name, text in site.suite_files(results, summary) if name.endswith(".html")}
    names = [found for text in pages.values() for found in svg._CLIP.findall(text)]
    assert list(dict.fromkeys(names)) == [f"clip{number}" for number in range(1, len(set(names)) + 1)]
    assert len(set(names)) > 1
    for text in pages.values():
        ids = [part.split('"')[0] for part in text.split('<clipPath id="')[1:]]
        assert len(ids) == len(set(ids))
    assert pages == {n: t for n, t in site.suite_files(results, summary) if n.endswith(".html")}
