"""Work in another process: the same results, whatever becomes of it."""

import os
import re

import pytest

from reports import aside, render
from reports.figures import drawing, svg


def spec(title):
    return {
        "mark": "bar",
        "data": {"values": [{"x": 1, "y": 2.5}, {"x": 2, "y": 1e-7}]},
        "encoding": {name: {"field": name, "type": "quantitative"} for name in "xy"},
        "config": {},
        "title": title,
    }


@pytest.fixture
def start(monkeypatch):
    """Start another process, on as many cores as it says there are; returns what is known of it."""

    def started(cores=2):
        end()
        monkeypatch.setattr(aside, "_cores", lambda: cores)
        aside.prepare()
        return aside._beside()

    def end():
        if aside._beside.cache_info().currsize and (beside := aside._beside()):
            beside.thread.shutdown()
            aside._end(beside.worker)
        aside._beside.cache_clear()

    end()
    yield started
    end()


def test_without_preparation_or_a_second_core_all_is_done_here(start):
    assert aside.submit(os.getpid).result() == os.getpid()
    assert not aside._beside.cache_info().currsize
    assert start(cores=1) is None
    assert aside.submit(os.getpid).result() == os.getpid()


def test_another_process_draws_what_this_one_draws(start):
    titles = ("a", "ü \u2028 & <b>", "c")
    expected = [drawing.draw(spec(title)) for title in titles]
    beside = start()
    assert aside.submit(os.getpid).result() == beside.worker.pid != os.getpid()
    futures = [aside.submit(drawing.draw, spec(title)) for title in titles]
    assert [future.result() for future in futures] == expected
    assert beside.worker is not None


def test_a_process_that_dies_before_it_is_asked_loses_nothing(start):
    beside = start()
    beside.worker.kill()
    beside.worker.wait()
    futures = [aside.submit(drawing.draw, spec(title)) for title in "ab"]
    assert [future.result() for future in futures] == [drawing.draw(spec(title)) for title in "ab"]
    assert beside.worker is None


def test_a_process_that_dies_at_work_loses_nothing(start, tmp_path):
    beside = start()
    # What ends a process the first time it is called: both here and there it is found by its name alone.
    ends = "import os; os.mkdir({!r}) if os.path.exists({!r}) else (os.mkdir({!r}), os._exit(1))"
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    aside.submit(exec, ends.format(second, first, first)).result()
    assert os.path.exists(second)  # done again, here
    assert beside.worker is None
    assert aside.submit(drawing.draw, spec("a")).result() == drawing.draw(spec("a"))


def test_where_no_process_can_start_this_one_works(start, monkeypatch):
    monkeypatch.setattr(aside.sys, "executable", "/nowhere/python")
    assert start().worker is None
    assert aside.submit(os.getpid).result() == os.getpid()


def test_a_folder_with_modules_of_our_names_is_not_imported(start, tmp_path, monkeypatch):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    beside = start()
    assert aside.submit(os.getpid).result() != os.getpid()
    assert beside.worker is not None


def test_an_error_is_raised_where_the_result_is_asked_for(start):
    beside = start()
    with pytest.raises(ValueError, match="conversion failed"):
        aside.submit(drawing.draw, spec("a") | {"mark": 3}).result()
    assert beside.worker is not None


def test_reports_are_the_same_with_and_without_processes(start, results, tmp_path):
    written = []
    for cores in (1, 2):
        beside = start(cores)
        render.write_report(results, tmp_path / str(cores))
        there = [path for path in (tmp_path / str(cores)).rglob("*") if path.is_file()]
        written.append({path.relative_to(tmp_path / str(cores)): path.read_bytes() for path in there})
    assert beside.worker is not None
    assert len(written[0]) > 20 and written[0] == written[1]

    pages = [text.decode() for path, text in written[0].items() if path.suffix == ".html"]
    names = [sorted(set(svg._CLIP.findall(text))) for text in pages]
    everywhere = [name for each in names for name in each]
    assert len(everywhere) == len(set(everywhere)) > 1
    assert set(everywhere) == {f"clip{number + 1}" for number in range(len(everywhere))}
    for text, each in zip(pages, names, strict=True):
        assert sorted(re.findall('<clipPath id="([^"]*)"', text)) == each
