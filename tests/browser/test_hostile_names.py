"""Pages of a run whose every name and reason is hostile: no script of theirs runs, nothing is asked for."""

import hostile_run
import pytest

PAYLOADS = (
    "<script>window.ran=1</script>", "<img src=http://example.org/x onerror=window.ran=1>",
    "</script><script>",
    "\"' onload=window.ran=1 x='", "<svg onload=window.ran=1>", "javascript:window.ran=1", "\x1b]0;x\x07",
    "</style><script>window.ran=1</script>", "<!--", "{{7*7}}", "</title><script>window.ran=1</script>",
)  # fmt: skip


def written(folder, results, title):
    """Write the site of a run into a folder."""
    for name, content in hostile_run.site(results, title, static=True).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", errors="replace")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A site of such a run, with its charts drawn."""
    folder = tmp_path_factory.mktemp("hostile")
    number = iter(range(10_000))

    def text(_):
        place = next(number)
        return f"{PAYLOADS[place % len(PAYLOADS)]}{place}"

    written(folder, hostile_run.renamed(hostile_run.synthetic(), text), PAYLOADS[0])
    return sorted(folder.rglob("*.html"))


@pytest.mark.long
def test_names_run_no_script_and_ask_for_nothing(pages, read):
    assert len(pages) > 8
    reader = read()
    reader.page.on("dialog", lambda dialog: reader.complaints.append(dialog.message))
    reader.page.add_init_script("window.ran = 0")
    for path in pages:
        page = reader.open(path)
        if 'http-equiv="refresh"' in path.read_text(encoding="utf-8"):  # the newest run's lasting address
            page.wait_for_url("**/gaussian1d/index.html")
        reader.scroll()
        assert page.evaluate("window.ran") == 0, path
        assert page.locator("img, iframe, object, embed, [onload], [onerror]").count() == 0, path
    assert reader.complaints == []
    assert all(url.startswith(("file://", "data:", "blob:")) for url in reader.requests), reader.requests


def test_rows_whose_names_cannot_be_shown_are_compared(tmp_path, monkeypatch, read):
    """Of a command line that isn't UTF-8: half a character is in no address, and shown as what it isn't."""
    hostile_run.undrawn(monkeypatch)
    results = hostile_run.renamed(hostile_run.synthetic(), lambda name: f"\udcff{name}")
    written(tmp_path, results, "title")
    reader = read()
    page = reader.open(tmp_path / "site/gaussian1d/compare.html")
    before = page.locator("#lead").inner_text()
    links = page.locator("a[href^='#a=']")
    assert "\ufffdmlp-16x16" in before and "\ufffdfourier-64" in before and links.count() == 1
    links.first.click()
    picked = [page.locator(f"#pick-{side}").input_value() for side in "ab"]
    assert sorted(picked) == ["\ufffdfourier-64", "\ufffdmlp-16x16"]
    assert page.locator("#lead").inner_text().startswith(picked[0])
    assert reader.complaints == []
