"""The page as text: nothing but what we wrote is code, and everything is within."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.row import Row
from fiqa_cli.records.table import printable
from fiqa_cli.report import make_page
from fiqa_cli.report.rendering import render
from report.conftest import HOSTILE, write_scores

VOID = {"meta", "link", "img", "input"}


class Elements(HTMLParser):
    """Elements in order, with attributes and the text of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.open = [], {}, []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def page(people):
    return make_page([people / "scores.csv", people / "other.csv"])


@pytest.fixture(scope="module")
def parsed(page):
    return Elements(page.html)


def test_nothing_is_loaded(parsed):
    for tag, attributes in parsed.elements:
        assert tag not in {"iframe", "object", "embed", "base", "video", "audio"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style"
            if name in ("src", "href", "srcset", "action", "data"):
                assert value.startswith(("#", "data:")), (tag, name, value)
    tags = [tag for tag, _ in parsed.elements]
    assert (tags.count("script"), tags.count("style")) == (2, 1)


def test_the_policy_allows_our_script_and_style_alone(parsed):
    policy = next(a["content"] for t, a in parsed.elements if a.get("http-equiv"))
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["img-src"] == "data:"
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        digest = hashlib.sha256(parsed.texts[tag][-1].encode()).digest()
        assert directives[directive] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_hostile_names_are_text(page, parsed, people):
    data = json.loads(parsed.texts["script"][0])
    named = {attributes.get("data-path") for _, attributes in parsed.elements}
    named |= set(data["listed"]["path"])
    for name in HOSTILE:
        assert printable(str(people / "<i>x<i>" / name)) in named
    assert "harm()>" not in page.html
    assert "<u>" not in page.html and "<i>" not in page.html
    page.html.encode()  # no half surrogates


def test_numbers_of_the_page(page, parsed, people):
    assert page.faces == 130
    assert page.missing == {"no such file or directory": 2}  # in a gallery and as best shot
    assert "2 of " in page.html and "no such file or directory" in page.html
    data = json.loads(parsed.texts["script"][0])
    assert data["totals"] == {"faces": 130, "images": 130, "folders": 5}
    assert len(data["stops"]["quality"]) == 130
    assert data["stops"]["faces"][0] == 130
    assert data["listed"]["quality"] == sorted(data["listed"]["quality"])
    statuses = re.findall(r'<tr><th scope="row">(.*?)</th>', page.html)
    assert statuses == ["ok", "no-face"]


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("scores.csv", "scores.csv"),
        ("it's $(harm).csv", """'it'"'"'s $(harm).csv'"""),
        ("-x.csv", "./-x.csv"),
        ("a\nb.csv", "REPORT"),
    ],
)
def test_the_command_is_safe_to_paste(tmp_path, monkeypatch, name, argument):
    monkeypatch.chdir(tmp_path)
    rows = [Row("a.png", 0, quality=0.25), Row("b.png", 0, quality=0.5)]
    path = write_scores(tmp_path / name, rows).relative_to(tmp_path)
    html = make_page([path]).html
    command = re.search(r'<code id="command">(.*?) --min', html)[1]
    assert Elements(f"<p>{command}</p>").texts["p"] == [f"fiqa filter {argument}"]


def test_where_the_line_starts(people, tmp_path):
    report = people / "scores.csv"
    assert "at the valley" in make_page([report], gallery=0).html
    html = make_page([report], minimum=0.8, gallery=0).html
    assert "where it was asked to" in html
    assert 0.8 <= float(re.search(r'id="command-cut">([^<]*)<', html)[1]) < 0.81
    with pytest.raises(FiqaError, match="no quality is 2 or more"):
        make_page([report], minimum=2)
    few = write_scores(tmp_path / "few.csv", [Row("a.png", 0, quality=0.5)])
    assert "where a tenth is discarded" in make_page([few], gallery=0).html


def test_without_pictures(people):
    page = make_page([people / "scores.csv", people / "other.csv"], gallery=0)
    assert page.pictures == 0
    assert "data:image" not in page.html
    assert "Rank correlation" in page.html


def test_reports_of_other_images_do_not_compare(people, tmp_path):
    rows = [Row("x.png", 0, quality=0.5), Row("y.png", 0, quality=0.6)]
    other = write_scores(tmp_path / "other.csv", rows)
    with pytest.raises(FiqaError, match="no faces in common"):
        make_page([people / "scores.csv", other])


def test_a_variable_that_is_missing_is_an_error():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        render({})


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize("ink", ["ink", "soft", "kept", "discarded"])
@pytest.mark.parametrize("ground", ["ground", "panel"])
def test_text_has_the_contrast_of_wcag_aa(parsed, scheme, ink, ground):
    blocks = re.findall(r":root \{(.*?)\}", parsed.texts["style"][0], re.DOTALL)
    block = dict(zip(("light", "dark", "print"), blocks, strict=True))[scheme]
    colours = dict(re.findall(r"--(\w+): (#\w+);", block))
    one, other = (colours[name] for name in (ink, ground))
    full = [c if len(c) == 7 else "#" + "".join(2 * d for d in c[1:]) for c in (one, other)]
    low, high = sorted(map(luminance, full))
    assert (high + 0.05) / (low + 0.05) >= 4.5
