"""Put what benchopt's page takes from the web inside of it, to read it offline.

    python tools/self_contained.py outputs/PAGE.html [-o OUT.html]

The scripts and the style of the tables come from ``tools/vendor``; the web font is
dropped. Links to follow by hand stay as they are.
"""

import argparse
import re
import sys
from pathlib import Path

VENDOR = Path(__file__).parent / "vendor"
SCRIPTS = {
    "https://cdn.plot.ly/plotly-2.12.1.min.js": (
        "plotly.js-cartesian-dist-min-2.12.1/plotly-cartesian.min.js"
    ),
    "https://cdn.jsdelivr.net/npm/gridjs@6.2.0/dist/gridjs.umd.js": (
        "gridjs-6.2.0/gridjs.umd.js"
    ),
    "https://cdnjs.cloudflare.com/ajax/libs/animejs/2.0.2/anime.min.js": (
        "animejs-2.0.2/anime.min.js"
    ),
}
STYLES = {
    "https://cdn.jsdelivr.net/npm/gridjs@6.2.0/dist/theme/mermaid.min.css": (
        "gridjs-6.2.0/mermaid.min.css"
    ),
}
FONTS = ("https://fonts.googleapis.com", "https://fonts.gstatic.com")

# An element other than a link to follow, with the address of what it loads.
LOADS = re.compile(
    r"""<(?!a\s)\w+\s[^<>]*?\b(?:src|href)\s*=\s*["']((?:https?:)?//[^"']+)["'][^<>]*>"""
    r"""(?:\s*</script>)?"""
)


def self_contained(page):
    """The page (str) with its external scripts and styles inside.

    Raises
    ------
    ValueError
        The page loads something that ``tools/vendor`` does not have.
    """
    return LOADS.sub(_inside, page)


def _inside(element):
    url = element[1]
    if url in SCRIPTS:
        return f"<script>{_vendored(SCRIPTS[url])}</script>"
    if url in STYLES:
        return f"<style>{_vendored(STYLES[url])}</style>"
    if url.startswith(FONTS):
        return ""
    raise ValueError(
        f"the page loads {url}, which tools/vendor does not have: "
        "it is not a result page, or not of a version of benchopt known to this tool."
    )


def _vendored(path):
    return (VENDOR / path).read_text(encoding="utf-8")


def main(args=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, help="result page written by benchopt")
    parser.add_argument("-o", "--output", type=Path, help="by default, PAGE itself")
    args = parser.parse_args(args)
    if not args.page.is_file():
        sys.exit(f"{args.page}: there is no such file.")
    try:
        page = self_contained(args.page.read_text(encoding="utf-8"))
    except ValueError as error:
        sys.exit(f"{args.page}: {error}")
    (args.output or args.page).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
