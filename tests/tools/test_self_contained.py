"""The page of a run, made to open without a network."""

import json
import re

import pytest
from browser import dom_of

from tools.self_contained import PLOTLY, STYLE, TABLES, main

PAGE = f"""<head><link href="{STYLE}" rel="stylesheet"></head>
<body><div id="table_container"></div>
<script src="{PLOTLY}"></script><script src="{TABLES}"></script></body>"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "run.html"
    path.write_text(PAGE)
    return path


def test_it_is_written_beside_the_page_and_said(page, capsys):
    main([str(page)])
    assert page.read_text() == PAGE
    written = page.with_name("run_offline.html")
    assert "https://cdn" not in written.read_text().split("<body>")[0]
    assert re.match(
        rf"Written: {written} \(\d\.\d MB\), which opens without a network\.",
        capsys.readouterr().out,
    )


@pytest.mark.parametrize("other_name", ["run.html", "../{folder}/run.html"])
def test_the_page_itself_is_never_written_over(page, other_name):
    output = page.parent / other_name.format(folder=page.parent.name)
    with pytest.raises(SystemExit, match="this is the page itself, which is kept"):
        main([str(page), "--output", str(output)])
    assert page.read_text() == PAGE


# Makes a table as benchopt's page does, and leaves in its body what is seen.
USE = """<script>
const column = name => ({name, formatter: v => v < 3 ? gridjs.html(`<b>${v}</b>`) : v,
                         sort: {compare: (a, b) => Math.sign(a - b)}});
const cells = selector => [...document.querySelectorAll(selector)]
  .map(cell => cell.textContent);
const grid = new gridjs.Grid({
  columns: [column("a"), {...column("b"), hidden: true}, column("c")],
  data: [[2, 0, 30], [1, 0, 50], [3, 0, 40]],
});
let ready = 0;
grid.on("ready", () => ready++);
grid.render(document.getElementById("table_container"));
const seen = {header: cells(".gridjs-th-content"), as_given: cells("tbody td")};
seen.bold = cells("tbody td b");
const sort = name => {
  document.querySelectorAll(".gridjs-th")[name].click();
  return [document.querySelectorAll(".gridjs-sort")[name].className, cells("tbody td")];
};
seen.sorts = [sort(1), sort(1), sort(1)];
document.querySelector("input").value = "5";
document.querySelector("input").dispatchEvent(new Event("input"));
seen.found = cells("tbody td");
seen.ready = ready;
document.body.textContent = JSON.stringify(seen);
</script></body>"""


def test_tables_sort_search_and_hide_columns_as_the_page_asks(page, tmp_path):
    page.write_text(PAGE.replace("</body>", USE))
    main([str(page)])
    dom = dom_of(page.with_name("run_offline.html"), tmp_path)
    seen = json.loads(re.search(r"<body>(.*)</body>", dom, re.DOTALL)[1])
    as_given = ["2", "30", "1", "50", "3", "40"]
    ascending = ["2", "30", "3", "40", "1", "50"]
    descending = ["1", "50", "3", "40", "2", "30"]
    assert seen == {
        "header": ["a", "c"],
        "as_given": as_given,
        "bold": ["2", "1"],
        "sorts": [
            ["gridjs-sort gridjs-sort-asc", ascending],
            ["gridjs-sort gridjs-sort-desc", descending],
            ["gridjs-sort gridjs-sort-neutral", as_given],
        ],
        "found": ["1", "50"],
        "ready": 1,
    }
