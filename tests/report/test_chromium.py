"""The page in a browser: what moves, how it looks, how fast it opens."""

from pathlib import Path

import numpy as np
import pytest

from fiqa_cli.records.readers import read_rows
from fiqa_cli.records.row import Row
from fiqa_cli.report import make_page
from report.conftest import HOSTILE, save_image, write_scores

OPEN_WITHIN = 2000
"""Milliseconds."""

LARGEST = 8_000_000
"""Bytes of the page of 5,000 faces."""


@pytest.fixture(scope="module")
def file(people, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    page = make_page([people / "scores.csv", people / "other.csv"])
    path.write_text(page.html, encoding="utf-8")
    return path


@pytest.fixture
def visit(browser, file):
    """Opens the page with given settings; it may ask for nothing, and say nothing."""
    contexts, troubles = [], []

    def open_page(path: Path = file, **settings):
        context = browser.new_context(offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script("window.harm = () => { throw Error('harmed'); }")
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        requests: list[str] = []
        page.goto(path.as_uri())
        assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture(scope="module")
def qualities(people):
    rows = read_rows(people / "scores.csv")
    return np.array([row.quality for row in rows if row.quality is not None])


def number(page, selector):
    return float(page.locator(selector).inner_text().replace(",", ""))


def test_the_counts_follow_the_line(visit, qualities):
    page = visit()
    slider = page.locator("#slider")
    cuts = [number(page, "#command-cut")]
    slider.focus()
    for key in ("ArrowRight", "PageDown", "Home", "End"):
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        cut = number(page, "#command-cut")
        cuts.append(cut)
        kept = np.count_nonzero(qualities >= cut)
        assert cut in qualities
        assert number(page, "#kept") == kept
        assert number(page, "#discarded") == len(qualities) - kept
        assert f"keeps {kept} of {len(qualities)}" in slider.get_attribute("aria-valuetext")
        assert page.locator("#value").input_value() == page.locator("#command-cut").inner_text()
    assert len(set(cuts)) == 4  # a page down, the line lies between the same two qualities again
    assert (cuts[-2], cuts[-1]) == (qualities.min(), qualities.max())


def test_a_typed_value_and_single_steps(visit, qualities):
    page = visit()
    page.fill("#value", "0.8")
    page.wait_for_timeout(50)
    cut = qualities[qualities >= 0.8].min()
    assert number(page, "#command-cut") == cut
    page.click("#down")
    page.wait_for_timeout(50)
    assert number(page, "#command-cut") == qualities[qualities < cut].max()
    page.fill("#value", "much")
    assert page.locator("#value").get_attribute("aria-invalid") == "true"
    page.click("text=discard 20")
    page.wait_for_timeout(50)
    assert number(page, "#discarded") == len(qualities) // 5
    assert page.locator("#value").get_attribute("aria-invalid") is None


def test_the_faces_around_the_line(visit, qualities):
    page = visit()
    page.click("summary")
    page.fill("#value", "0.75")
    page.wait_for_timeout(50)

    def shown(side):
        return page.eval_on_selector_all(
            f"#{side} button", "all => all.map(b => b.dataset.quality)"
        )

    above, below = np.sort(qualities[qualities >= 0.75]), np.sort(qualities[qualities < 0.75])
    assert shown("above") == [f"{quality:.4f}" for quality in above[:8]]
    assert shown("below") == [f"{quality:.4f}" for quality in below[::-1][:8]]
    rows = page.locator("#near tr")
    assert rows.count() == 40
    texts = [float(text) for text in page.locator("#near td:first-child").all_inner_texts()]
    assert texts == [*above[:20][::-1], *below[::-1][:20]]
    assert page.locator("#near .is-kept").count() == 20
    page.fill("#value", "99")
    page.wait_for_timeout(50)
    assert (len(shown("above")), len(shown("below"))) == (1, 8)


def test_hostile_names_are_shown_and_not_run(visit):
    page = visit()
    page.fill("#value", "-1")
    page.click("summary")
    text = page.locator("body").inner_text()
    folders = page.locator(".path").all_inner_texts()
    assert any("<i>x<i>" in name for name in folders)
    everything = page.locator("#data").text_content() + text
    assert "harm()" in everything
    paths = page.eval_on_selector_all("[data-path]", "all => all.map(b => b.dataset.path)")
    assert any(HOSTILE[5] in path for path in paths) or HOSTILE[5] in everything
    page.locator("#worst .face button").first.click()


def test_a_face_opens_and_closes_by_keyboard(visit):
    page = visit()
    button = page.locator("#best .face button").nth(1)
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#face-dialog")
    assert dialog.is_visible()
    assert page.locator("#face-path").inner_text() == button.get_attribute("data-path")
    assert "better than 128 of 130 faces" in dialog.inner_text()
    assert dialog.locator("img").count() == 1
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.dataset.path") == button.get_attribute("data-path")


def test_the_command_is_copied(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.click(".command .copy")
    page.wait_for_timeout(100)
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#command").text_content()
    assert copied.startswith("fiqa filter ") and " --min 0." in copied


def test_folders_are_sorted(visit):
    page = visit()

    def column(place):
        cells = page.locator(f"#folder-table tbody tr > :nth-child({place})")
        return [cell.get_attribute("data-value") for cell in cells.all()]

    medians = list(map(float, column(3)))
    assert medians == sorted(medians)
    head = page.locator("#folder-table th", has_text="Best").first
    for order, reverse in (("ascending", False), ("descending", True)):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        best = list(map(float, column(5)))
        assert best == sorted(best, reverse=reverse)
    assert page.locator("#folder-table th[aria-sort]").count() == 1
    page.fill("#value", "0.999")
    page.wait_for_timeout(50)
    stays = page.locator("#folder-table .stays").all_inner_texts()
    assert stays == ["all", *["none"] * 4]  # only one face is as good


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_part_is_wider_than_the_screen(visit, width):
    page = visit(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_light_dark_and_calm(visit):
    grounds = [
        visit(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert grounds == ["rgb(250, 249, 247)", "rgb(20, 22, 26)"]
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert visit(reduced_motion="no-preference").evaluate(behaviour) == "smooth"
    assert visit(reduced_motion="reduce").evaluate(behaviour) == "auto"


def test_printed(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    for gone in ("nav", ".controls", "#slider", ".command .copy"):
        assert not page.locator(gone).is_visible()
    assert page.locator("#above img").count() == 8
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")


def test_without_script_it_still_tells(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("#best img").count() == 23  # one image is gone
    assert page.locator(".kept rect").first.is_visible()
    assert not page.locator("#slider").is_visible()
    assert page.locator("noscript p").is_visible()


def test_five_thousand_faces_open_quickly(visit, tmp_path):
    images = [str(tmp_path / f"{number}.png") for number in range(100)]
    for seed, path in enumerate(images):
        save_image(Path(path), seed)
    quality = np.random.default_rng(0).random(5000).tolist()
    rows = [
        Row(images[i % 100], i // 100, quality=q, model="m", width=112, height=112)
        for i, q in enumerate(quality)
    ]
    page = make_page([write_scores(tmp_path / "scores.csv", rows)])
    assert page.faces == 5000
    path = tmp_path / "report.html"
    path.write_text(page.html, encoding="utf-8")
    assert path.stat().st_size < LARGEST
    ended = []
    for _ in range(3):  # machines under load
        opened = visit(path)
        opened.wait_for_load_state("load")
        ended.append(opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        assert opened.locator("#kept").inner_text() == "4,500"
    assert 0 < min(ended) < OPEN_WITHIN
