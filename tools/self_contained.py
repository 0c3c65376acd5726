"""Put what benchopt's page takes from the web inside of it, to read it offline.

    python tools/self_contained.py outputs/PAGE.html [-o OUT.html]

writes outputs/PAGE_offline.html. The plots are drawn by the script of the installed
plotly package, and the tables by tools/pages/offline.js, a few lines of our own; the
web font and the motion of the title are left out. Links to follow by hand stay.
"""

import argparse
import re
import sys
from pathlib import Path

from plotly.offline import get_plotlyjs

PAGES = Path(__file__).parent / "pages"
PLOTLY = "https://cdn.plot.ly/plotly-2.12.1.min.js"
TABLES = "https://cdn.jsdelivr.net/npm/gridjs@6.2.0/dist/gridjs.umd.js"
STYLE = "https://cdn.jsdelivr.net/npm/gridjs@6.2.0/dist/theme/mermaid.min.css"
LEFT_OUT = (
    "https://fonts.googleapis.com",
    "https://fonts.gstatic.com",
    # What it does is in offline.js.
    "https://cdnjs.cloudflare.com/ajax/libs/animejs/2.0.2/anime.min.js",
)

# An element other than a link to follow, with the address of what it loads.
LOADS = re.compile(
    r"""<(?!a\s)\w+\s[^<>]*?\b(?:src|href)\s*=\s*["']((?:https?:)?//[^"']+)["'][^<>]*>"""
    r"""(?:\s*</script>)?"""
)


def self_contained(page):
    """The page (str) with all that it loads inside.

    Raises
    ------
    ValueError
        The page loads something that is not known here.
    """
    return LOADS.sub(_inside, page)


def _inside(element):
    url = element[1]
    if url == PLOTLY:
        return f"<script>{get_plotlyjs()}</script>"
    if url == TABLES:
        return f"<script>{(PAGES / 'offline.js').read_text()}</script>"
    if url == STYLE:
        return f"<style>{(PAGES / 'offline.css').read_text()}</style>"
    if url.startswith(LEFT_OUT):
        return ""
    raise ValueError(
        f"the page loads {url}, which this tool has nothing for: "
        "it is not a result page, or not of a version of benchopt known to this tool."
    )


def main(args=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, help="result page written by benchopt")
    parser.add_argument(
        "-o", "--output", type=Path, help="by default, PAGE_offline.html"
    )
    args = parser.parse_args(args)
    output = args.output or args.page.with_stem(f"{args.page.stem}_offline")
    if not args.page.is_file():
        sys.exit(f"{args.page}: there is no such file.")
    if output.resolve() == args.page.resolve():
        sys.exit(
            f"{output}: this is the page itself, which is kept; name another file."
        )
    try:
        page = self_contained(args.page.read_text(encoding="utf-8"))
    except ValueError as error:
        sys.exit(f"{args.page}: {error}")
    output.write_text(page, encoding="utf-8")
    size = output.stat().st_size / 1e6
    print(f"Written: {output} ({size:.1f} MB), which opens without a network.")


if __name__ == "__main__":
    main()
