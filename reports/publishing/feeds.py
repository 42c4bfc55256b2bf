"""What other programs read of a site: an Atom feed of its runs, and a sitemap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.publishing.editions import Card
from reports.texts import printable

ATOM = "http://www.w3.org/2005/Atom"
SITEMAPS = "http://www.sitemaps.org/schemas/sitemap/0.9"
NEVER = "1970-01-01T00:00:00Z"  # a feed without entries has to have been updated at some time


def atom(title: str, cards: Sequence[Card], url: str) -> str:
    """An Atom feed (RFC 4287), an entry a run, newest first; runs of an unknown date are left out.

    url: of the site, with a slash at its end; empty where it isn't known, then links are relative.
    """
    dated = [(card.edition.started, card) for card in cards if card.edition.started]
    dated.sort(key=lambda pair: (pair[0], pair[1].edition.permanent), reverse=True)
    feed = Element("feed", {"xmlns": ATOM, **({"xml:base": url} if url else {})})
    _add(feed, "id", uuid5(NAMESPACE_URL, f"posterior-bench feed {url or title}").urn)
    _add(feed, "title", title)
    _add(feed, "updated", _time(dated[0][0]) if dated else NEVER)
    _add(SubElement(feed, "author"), "name", "Posterior Bench")
    SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{url}feed.xml"})
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": f"{url}index.html"})
    for when, card in dated:
        edition, suite = card.edition, card.suite
        entry = SubElement(feed, "entry")
        name = f"posterior-bench run {suite['name']} {when.isoformat()} {edition.stamp}"
        _add(entry, "id", uuid5(NAMESPACE_URL, name).urn)
        _add(entry, "title", f"{suite['title']}, {edition.day}")
        _add(entry, "updated", _time(when))
        SubElement(entry, "link", {"href": f"{url}{edition.permanent}/index.html"})
        _add(entry, "summary", " ".join(card.headline))
    return _written(feed)


def sitemap(pages: Iterable[tuple[str, str]], url: str) -> str:
    """A sitemap (sitemaps.org) of pages: (path, day of the last change or empty)."""
    listed = Element("urlset", {"xmlns": SITEMAPS})
    for path, day in pages:
        entry = SubElement(listed, "url")
        _add(entry, "loc", url + path.removesuffix("index.html"))
        if day:
            _add(entry, "lastmod", day)
    return _written(listed)


def _time(when: datetime) -> str:
    return when.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _add(parent: Element, tag: str, text: str) -> None:
    # XML 1.0 has no way to write a control character.
    SubElement(parent, tag).text = printable(text)


def _written(root: Element) -> str:
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"
