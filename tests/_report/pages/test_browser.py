"""Pages in a real browser, three widths, light and dark: no messages, requests or overlaps."""

import pytest

pytestmark = pytest.mark.slow

# Returns what is wrong with the layout, one line each.
LAYOUT = r"""
(() => {
  document.querySelectorAll('details').forEach(found => found.open = true);
  const wrong = [], near = 1.5;
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) wrong.push('the page is wider than the screen');
  const box = found => found.getBoundingClientRect();
  const name = found => `${found.tagName} "${(found.textContent || '').trim().slice(0, 40)}"`;
  const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > near
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > near;
  for (const svg of document.querySelectorAll('svg.chart')) {
    const frame = box(svg), texts = [...svg.querySelectorAll('text')];
    texts.forEach((text, index) => {
      const a = box(text);
      if (a.left < frame.left - near || a.right > frame.right + near || a.top < frame.top - near
          || a.bottom > frame.bottom + near) wrong.push('cut by its picture: ' + name(text));
      for (const other of texts.slice(index + 1))
        if (overlap(a, box(other))) wrong.push(name(text) + ' overlaps ' + name(other));
    });
  }
  const range = document.createRange();
  const written = 'th, td, dt, dd, h1, h2, h3, p, figcaption *, .figure-tile *, caption';
  for (const cell of document.querySelectorAll(written)) {
    if (!cell.textContent || getComputedStyle(cell).textOverflow === 'ellipsis') continue;
    range.selectNodeContents(cell);
    const text = range.getBoundingClientRect(), frame = box(cell);
    if (text.width && (text.right > frame.right + near || text.left < frame.left - near
        || text.bottom > frame.bottom + 6 || text.top < frame.top - 6))
      wrong.push('wider than its box: ' + name(cell));
  }
  for (const found of document.querySelectorAll('body *')) {
    if (found.closest('.scroll, svg') && !found.matches('.scroll')) continue;
    const a = box(found);
    if (a.width && (a.right > wide + near || a.left < -near))
      wrong.push('beyond the screen: ' + name(found));
  }
  const groups = 'main, section, .body, .panels, .tiles, .facts, .strips, .mistakes, .groups';
  for (const group of document.querySelectorAll(groups)) {
    const parts = [...group.children].filter(found => box(found).width && box(found).height);
    parts.forEach((part, index) => {
      if (index && overlap(box(parts[index - 1]), box(part)))
        wrong.push(name(part) + ' overlaps the one before');
    });
  }
  return wrong;
})()
"""

CONTRAST = r"""
(() => {
  const light = color => {
    const part = color.match(/[\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const wrong = [];
  const texts = 'h1, h2, h3, p, dt, dd, td, th, a, small, b, summary, strong, span';
  for (const found of document.querySelectorAll(texts)) {
    if (!found.textContent.trim()) continue;
    let behind = found;
    const clear = () => getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)';
    while (behind.parentElement && clear()) behind = behind.parentElement;
    const a = light(getComputedStyle(found).color);
    const b = light(getComputedStyle(behind).backgroundColor);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const text = found.textContent.slice(0, 40);
    if (ratio < 4.5) wrong.push(`${found.tagName} ${ratio.toFixed(2)}: ${text}`);
  }
  return wrong;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_is_silent_complete_and_readable(browser, page_of, any_run, width, scheme):
    page = page_of(any_run)
    browser.open(page, width, scheme)
    assert browser.evaluate(LAYOUT) == []
    assert browser.evaluate(CONTRAST) == []
    dark = browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    addresses = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [address for address in addresses if not address.startswith("data:")] == [page.as_uri()]
    noise = (
        "Log.entryAdded",
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "Network.loadingFailed",
    )
    assert [event for event in browser.events if event.get("method") in noise] == []


def test_in_print_the_page_is_complete_dark_on_white_and_without_links(browser, page_of, any_run):
    browser.open(page_of(any_run), 690, "dark", media="print")  # A4 within its margins
    assert browser.evaluate(LAYOUT) == []
    assert browser.evaluate(CONTRAST) == []
    assert (
        browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert browser.evaluate("document.querySelector('nav').getBoundingClientRect().height") == 0


def test_the_layout_check_finds_mistakes(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        '<meta charset="utf-8"><body><p style="width:50px;white-space:nowrap">much wider than fifty'
        ' pixels</p><svg class="chart" width="100" height="50"><text x="80" y="20">cut off'
        ' here</text><text x="82" y="22">and this</text></svg><div style="width:3000px">wide</div>'
    )
    browser.open(page, 360, "light")
    found = " ".join(browser.evaluate(LAYOUT))
    for words in (
        "wider than the screen",
        "wider than its box",
        "cut by its picture",
        "overlaps",
        "beyond the screen",
    ):
        assert words in found


def test_the_policy_of_the_page_blocks_requests(browser, page_of, digits_run):
    page = page_of(digits_run)
    browser.open(page, 768, "light")
    script = (
        "new Promise(done => { const i = new Image(); i.onerror = () => done('refused'); i.src ="
        " 'file:///x.png' })"
    )
    answer = browser.call(
        "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
    )
    assert answer["result"]["value"] == "refused"
    messages = [
        event["params"]["entry"]["text"]
        for event in browser.events
        if event["method"] == "Log.entryAdded"
    ]
    assert any("Content Security Policy" in text for text in messages)
