"""Pages of a run as text, and a parser that checks their tags, for the tests of them."""

from html.parser import HTMLParser

from reports import site
from reports.leaderboard import summarise

VOID = ("meta", "link", "br", "line", "circle", "path", "wbr", "input", "rect")


def page_text(results, summary=None, path="index.html"):
    run = site.run_of(results, summary or summarise(results))
    return next(site.page_text(run, page) for page in site.pages(run) if page.path == path)


class Parsed(HTMLParser):
    """Tags with their attributes, every tag's balance, and the text of scripts by their type or source."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())
