"""The documentation site: it builds without a warning, has no dead link, and needs no network."""

import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from chromium import missing
from markdown.extensions.toc import slugify
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "video": "src", "audio": "src"}
LINKS_THAT_LOAD = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # mkdocs-click imports the command line
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
    return folder


class Loaded(HTMLParser):
    """Gathers the addresses of what a browser loads by itself with a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        of = dict(attributes)
        if tag in LOADS and of.get(LOADS[tag]):
            self.found.append(of[LOADS[tag]])
        if tag == "link" and set((of.get("rel") or "").split()) & LINKS_THAT_LOAD:
            self.found.append(of["href"])


def loaded(text):
    parser = Loaded()
    parser.feed(text)
    return parser.found


def is_elsewhere(address):
    return re.match(r"(?:[a-z]+:)?//", address) is not None


def test_every_page_is_built(site):
    for page in (ROOT / "docs").rglob("*.md"):
        built = site / page.relative_to(ROOT / "docs").with_suffix(".html")
        assert (built if page.stem != "README" else built.with_name("index.html")).is_file(), page
    assert "Unreleased" in (site / "changelog.html").read_text()
    reference = (site / "reference/python/scoring.html").read_text()
    assert 'id="benchmarks.own_scores.score"' in reference and "Return every measure of a model" in reference
    commands = (site / "reference/command-line.html").read_text()
    assert "--every-budget" in commands and 'id="runner-publish"' in commands
    assert "<math" in (site / "reference/measures.html").read_text()
    names = (site / "reference/names.html").read_text()
    assert names.count("<table>") == 7 and "<!-- made:" not in names


def test_nothing_is_loaded_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        found = loaded(page.read_text())
        assert found and not [address for address in found if is_elsewhere(address)], page
    for style in site.rglob("*.css"):
        assert not re.findall(r"url\([\"']?(?:https?:)?//[^)]*|@import[^;]*//", style.read_text()), style


def test_what_a_page_loads_is_found():
    text = '<img src="a.png"><script src="https://b"></script><link rel="stylesheet" href="//c"><a href="https://d">'
    assert loaded(text) == ["a.png", "https://b", "//c"]
    assert [is_elsewhere(each) for each in loaded(text)] == [False, True, True]


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_pages_and_search_work_from_disk(site, browser):
    requests, failed = [], []
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    for name in ("index", "tutorial", "how-to/own-architecture", "reference/names", "reference/python/tasks"):
        page.goto(f"file://{site}/{name}.html", wait_until="networkidle")  # its icon, too
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
    page.locator("label[for=__search].md-header__button").click()
    page.locator("input[name=query]").press_sequentially("crossing")
    page.locator(".md-search-result__link").first.wait_for(timeout=20_000)
    page.close()
    assert len(requests) > 10 and not failed
    assert not [url for url in requests if not url.startswith(("file:", "data:", "blob:", "about:"))]


# --- the build fails where something is wrong ---------------------------------------------------------------


def built_alone(tmp_path, text, nav=None):
    """Build a site of one page and a second one, `other.md`, by our settings, without what takes long."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(text)
    (docs / "other.md").write_text("# Other\n\n## There\n")
    nav = nav or [{"Home": "index.md"}, {"Other": "other.md"}, {"Changes": "changelog.md"}]
    nav = [*nav, {"Contributing": "contributing.md"}]
    settings = {"docs_dir": str(docs), "site_dir": str(tmp_path / "site"), "nav": nav, "plugins": []}
    build(load_config(str(ROOT / "mkdocs.yml"), **settings))


def test_a_page_whose_links_lead_somewhere_is_built(tmp_path):
    built_alone(
        tmp_path, "[a](other.md#there) [b](../tests/docs/test_site.py) [c](../README.md) [d](../examples)\n"
    )
    html = (tmp_path / "site/index.html").read_text()
    assert 'href="source/tests/docs/test_site.py.txt"' in html
    assert (tmp_path / "site/source/tests/docs/test_site.py.txt").read_text() == Path(__file__).read_text()


@pytest.mark.parametrize(
    ("text", "nav", "says"),
    [
        ("[a](lost.md)", None, "lost.md"),
        ("[a](other.md#lost)", None, "#lost"),
        ("[a](#lost)", None, "#lost"),
        ("![a](images/lost.png)", None, "lost.png"),
        ("[a](../tests/lost.py)", None, "lost.py"),
        ("[a](/other.md)", None, "/other.md"),
        ("a", [{"Home": "index.md"}, {"Changes": "changelog.md"}], "other.md"),
        ("a", [{"Home": "index.md"}, {"Other": "other.md"}, {"Lost": "lost.md"}], "lost.md"),
    ],
)
def test_a_build_fails_where_something_is_wrong(text, nav, says, tmp_path, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(Abort, match="in strict mode"):
        built_alone(tmp_path, text, nav)
    assert says in caplog.text


# --- what isn't in the site ---------------------------------------------------------------------------------


def dead(text, folder):
    """Return the relative links of a Markdown text that lead to no file, or to no heading of one."""
    found = []
    for match in LINK.finditer(CODE.sub("", text)):
        address = match[1] or match[2]
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = address.partition("#")
        target, words = folder / path, "" if path else text
        if path.endswith(".md") and target.is_file():
            words = target.read_text()
        headings = {slugify(heading, "-") for heading in re.findall(r"^#+ (.+)$", words, flags=re.M)}
        if not target.exists() or (anchor and anchor not in headings):
            found.append(address)
    return found


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), ROOT / "examples/README.md"], ids=lambda page: page.name
)
def test_links_of_files_beside_the_site_lead_somewhere(page):
    assert not dead(page.read_text(), page.parent)


def test_dead_links_are_found(tmp_path):
    (tmp_path / "there.md").write_text("# A title, of words\n")
    text = (
        "# Here\n[a](there.md) [b](there.md#a-title-of-words) [c](#here) [d](https://e.f) `[g](h.md)`\n"
        '[i](lost.md) [j](there.md#lost) [k](#lost) ![l](lost.png) <img src="gone.png">\n'
    )
    assert dead(text, tmp_path) == ["lost.md", "there.md#lost", "#lost", "lost.png", "gone.png"]


PATHS = re.compile(r"`((?:benchmarks|suites|runner|reports|tests|docs|examples)/[\w./*-]+)`")


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")],
    ids=lambda path: path.name,
)
def test_files_that_a_page_names_are_there(page):
    missing = [path for path in PATHS.findall(page.read_text()) if not list(ROOT.glob(path.rstrip("/")))]
    assert not missing
