"""Pages of a synthetic run in Debian's Chromium, opened from files as a reader would."""

from pathlib import Path

import pytest
from chromium import missing

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}


def pytest_collection_modifyitems(items):
    """Skip what needs a browser where there is none, and say why."""
    here = [item for item in items if Path(__file__).parent in Path(item.fspath).parents]
    reason = missing()
    for item in here if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason))


class Reader:
    """A page that a reader has open, with all it complained about and asked for."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**({"viewport": WIDE} | options))
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path, fragment=""):
        self.page.goto(f"file://{path}{fragment}")
        return self.page

    def scroll(self):
        """Scroll to the end, so that every chart becomes interactive."""
        for chart in self.page.locator("figure.chart-box:visible").all():
            chart.scroll_into_view_if_needed()
        for _ in range(200):  # wait_for_function would evaluate text, which the pages forbid
            if not self.page.locator("figure.chart-box:not(.live):visible").count():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("a chart didn't become interactive")


@pytest.fixture
def read(browser):
    """Open pages as a reader with options of a browser context: viewport, color_scheme, ..."""
    readers = []

    def begin(**options):
        readers.append(Reader(browser, **options))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.context.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The pages of a real, small run: a line, a plane and eight inputs."""
    from command import call

    folder = tmp_path_factory.mktemp("browser")
    given = ["--suite", "smoke", "--quick", "--jobs", "1", "--seeds", "5", "--budget", "640", "1280"]
    given += ["--task", "gauss-nested", "xor-2d", "gauss-shared-d8"]
    given += ["--architecture", "linear", "mlp-16x16", "mlp-64x64", "--output", "run", "--format", "none"]
    done = call(*given, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run" / "report"
