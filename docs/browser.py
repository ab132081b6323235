"""Looks at the built site in Chromium: no console error, no horizontal scroll, no unreadable colour, no broken picture.

python docs/browser.py [--pictures FOLDER] [PAGE ...]    after `make docs`; needs the package playwright, and chromium

Each page at the width of a desktop and of a phone, light and dark. Without a list, all pages are looked at, and the
search is asked; with --pictures, each is kept as a PNG.
"""

import argparse
import functools
import http.server
import shutil
import threading
from pathlib import Path

SITE = Path(__file__).resolve().parent.parent / "build" / "docs"
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
LOWEST_CONTRAST = 3.0  # WCAG asks for 4.5 of small text; colours of syntax and faint words may be a little below

# What is typed into the search, and a page that is to be among the first five answers.
QUERIES = {
    "layer_norm": "reference/ops.html",
    "NaN": "guide/troubleshooting.html",
    "early stopping": "how-to/recipes.html",
}

# What a page looks like to one who reads it: how far it scrolls sideways, pictures that did not load, words that
# cannot be told from what is behind them.
LOOK = """() => {
  const light = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const parse = text => {
    const found = text.match(/[0-9.]+/g).map(Number);
    return found.length === 4 ? found : [...found.slice(0, 3), 1];
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] > 0.5) return colour;
      if (getComputedStyle(e).backgroundImage !== "none") return null;
    }
    return [255, 255, 255, 1];
  };
  const faint = [];
  for (const element of document.querySelectorAll("p, li, td, th, h1, h2, h3, dt, a, code, pre, span")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!own || !box.width || !box.height || element.closest("svg, .highlight .linenos")) continue;
    const style = getComputedStyle(element), back = behind(element);
    if (!back || style.visibility === "hidden" || +style.opacity === 0) continue;
    const [a, b] = [light(parse(style.color)), light(back)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < LOWEST) faint.push(`${element.textContent.trim().slice(0, 30)} (${contrast.toFixed(1)})`);
  }
  return {
    scroll: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    pictures: [...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src),
    faint: [...new Set(faint)].slice(0, 3),
  };
}""".replace("LOWEST", str(LOWEST_CONTRAST))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def serve():
    """The site on a free port of this machine; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def problems(browser, address, pages, pictures):
    for scheme in ("light", "dark"):
        for kind, (width, height) in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            for where, found in _seen(context.new_page(), address, pages, f"{kind}-{scheme}", pictures):
                yield f"{where}: {found}"
            context.close()


def _seen(page, address, pages, way, pictures):
    """(page and way of looking, what is wrong)."""
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("response", lambda response: said.append(f"no {response.url}") if response.status >= 400 else None)
    page.on("request", lambda request: said.append(f"asks {request.url}") if _is_abroad(request.url, address) else None)
    for name in pages:
        said.clear()
        page.goto(f"{address}/{name}", wait_until="load")
        found = page.evaluate(LOOK)
        wrong = list(said)
        if found["scroll"] > 0:
            wrong.append(f"scrolls {found['scroll']} pixels sideways")
        wrong += [f"{picture} is broken" for picture in found["pictures"]]
        wrong += [f"hard to read: {text}" for text in found["faint"]]
        yield from ((f"{name}, {way}", text) for text in wrong)
        if pictures:
            page.screenshot(path=pictures / f"{name.replace('/', '-')[:-5]}-{way}.png")


def unanswered(browser, address):
    page = browser.new_page()
    for query, wanted in QUERIES.items():
        page.goto(f"{address}/search.html?q={query}")
        page.wait_for_selector("#search-results li a")
        page.wait_for_timeout(1000)  # answers come one by one
        answers = page.eval_on_selector_all("#search-results li > a", "links => links.map(link => link.href)")
        if not any(wanted in answer for answer in answers[:5]):
            yield f"search for {query!r}: {wanted} is not among {answers[:5]}"
    page.close()


def _is_abroad(url, address):
    return not url.startswith((address, "data:", "blob:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as start/introduction.html")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    every = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if "_static" not in path.parts)
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        address = serve()
        found = list(problems(browser, address, arguments.pages or every, arguments.pictures))
        found += [] if arguments.pages else unanswered(browser, address)
        browser.close()
    if found:
        raise SystemExit("\n".join(found))
    print(f"{len(arguments.pages or every)} pages, each in {2 * len(WIDTHS)} ways: nothing is wrong")


if __name__ == "__main__":
    main()
