"""The site shows every published result, with the figures of the README."""

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from benchopt.results import save_results
from browser import dom_of
from conftest import BENCHMARK, ROOT

from benchmark_utils.scoring import (
    column_labels,
    file_name,
    final_scores,
)
from tools import build_site
from tools.build_readme import PAGES, versions_sentence
from tools.pages import facts
from tools.pages.filters import papers
from tools.pages.pictures import psnr_of_first_image

RESULTS = {path.stem: path for path in sorted((ROOT / "results").glob("*.parquet"))}
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(
        r"<!-- table (\w+) [^>]+-->\n(.*?)\n<!-- end -->", page.read_text(), re.DOTALL
    )
]


class Page(HTMLParser):
    """What a page loads and links to, its table rows, and {file: label} of pictures."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.rows, self.pictures = [], [], [], {}
        self.write = lambda data: None
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        found = [attributes[key] for key in ("src", "href") if attributes.get(key)]
        (self.links if tag == "a" else self.loads).extend(found)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.write = self.write_cell
        if tag == "a" and found[0].startswith("pictures/"):
            self.pictures[found[0]] = ""
            self.write = self.write_label

    def write_cell(self, data):
        self.rows[-1][-1] += data

    def write_label(self, data):
        self.pictures[self.links[-1]] += data

    def handle_data(self, data):
        self.write(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th", "a"):
            self.write = lambda data: None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build_site.main(["--output", str(folder)])
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path.stem: Page(path) for path in site.glob("*.html")}


def test_there_is_a_page_for_each_published_result_and_the_index_links_it(pages):
    assert set(pages) == {"index", *RESULTS}
    assert {f"{name}.html" for name in RESULTS} <= set(pages["index"].links)


def letters(text):
    """A cell without its markup and its spaces."""
    return re.sub(r"[\s*()_]", "", text)


@pytest.mark.parametrize("name, markdown", BLOCKS)
def test_its_figures_are_those_of_the_readme(name, markdown, pages):
    shown = [list(map(letters, row)) for row in pages[name].rows]
    for line in markdown.splitlines()[2:]:
        cells = [letters(cell) for cell in line.strip("|").split("|")]
        assert cells in shown


def test_solvers_link_their_papers(pages):
    assert "https://arxiv.org/abs/2008.13751" in pages["natural"].links
    linked = re.findall(r'<a href="(https[^"]+)">([^<]+)</a>', pages["natural"].text)
    assert ("https://doi.org/10.1007/s10851-010-0251-1", "TV") in linked


def test_the_papers_are_those_of_solvers_that_there_are():
    names = {solver.name for solver in BENCHMARK.get_solvers()}
    assert set(papers()) <= names and len(papers()) > 20


def test_it_shows_results_of_ones_own(run, tmp_path):
    rows = run(
        ["TV[n_iter=2]", "Pseudo-inverse"], ["simulated[problem=[sr4,inpainting]]"]
    )
    file = tmp_path / "mine.parquet"
    save_results(rows, file)
    build_site.main([str(file), "-o", str(tmp_path / "site")])
    assert {p.name for p in (tmp_path / "site").glob("*.html")} == {
        "index.html",
        "mine.html",
    }
    page = Page(tmp_path / "site" / "mine.html")
    scores = final_scores(rows).query("solver_name == 'Pseudo-inverse'")
    (row,) = [r for r in page.rows if r[0] == "Pseudo-inverse" and "." in r[1]][:1]
    for text, psnr in zip(row[1:], scores["psnr"], strict=True):
        assert f"{psnr:.2f}" in text
    assert "Older code" not in page.text


def test_it_shows_all_the_pictures_of_ones_own_whole_the_best_first(run, tmp_path):
    rows = run(["TV[n_iter=2]", "Pseudo-inverse"], ["simulated[n_images=3]"])
    save_results(rows, file := tmp_path / "mine.parquet")
    build_site.main([str(file), "-o", str(tmp_path / "site")])
    page = Page(tmp_path / "site" / "mine.html")
    shown = iter(page.pictures.items())
    kept = {s: f for s, f in zip(rows["solver_name"], rows["final_results"]) if f}
    names = next(iter(kept.values()))["names"]
    assert len(names) == 3
    for i, name in enumerate(names):
        assert f"<summary>{name}</summary>" in page.text
        best_first = sorted(kept, key=lambda solver: -kept[solver]["psnr"][i])
        files = [kept[best_first[0]][kind][i] for kind in ("truth", "measurement")]
        files += [kept[solver]["reconstruction"][i] for solver in best_first]
        labels = ["Truth", "Measurement"]
        labels += [f"{s} {kept[s]['psnr'][i]:.2f} dB" for s in best_first]
        for content, label in zip(files, labels):
            path, text = next(shown)
            assert (tmp_path / "site" / path).read_bytes() == content
            assert " ".join(text.split()) == label
    assert not list(shown)


def test_results_of_ones_own_have_no_configuration_of_ours(run, tmp_path):
    rows = run(["TV[n_iter=2]"], ["simulated[n_images=1]"])
    save_results(rows, file := tmp_path / "natural.parquet")
    build_site.main([str(file), "-o", str(tmp_path / "site")])
    text = (tmp_path / "site" / "natural.html").read_text()
    assert "natural.yml" not in text and "There is one image:" in text


@pytest.mark.parametrize(
    "name, sentence",
    [("index", "take the place of the site's own"), ("mine", "Parquet")],
)
def test_a_file_that_makes_no_page_is_said(name, sentence, tmp_path, capsys):
    (file := tmp_path / f"{name}.parquet").write_text("no table")
    with pytest.raises(SystemExit):
        build_site.main([str(file), "-o", str(tmp_path / "site")])
    assert sentence in capsys.readouterr().err


def test_two_files_of_one_name_are_refused(tmp_path, capsys):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.parquet").touch()
    files = [str(tmp_path / folder / "mine.parquet") for folder in "ab"]
    with pytest.raises(SystemExit):
        build_site.main(files)
    assert "Two files are called mine" in capsys.readouterr().err


def test_a_file_of_results_that_is_not_there_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        build_site.main([str(tmp_path / "none.parquet"), "-o", str(tmp_path / "site")])
    assert "There is no file" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_the_best_are_in_bold(pages):
    results = pd.read_parquet(RESULTS["bsd20"])
    psnr = results.groupby("problem")["psnr"]
    shown = re.findall(r"<b>([\d.]+)</b>", pages["bsd20"].text.split("<details>")[0])
    assert {f"{best:.2f}" for best in psnr.max()} <= set(shown)
    assert not {f"{worst:.2f}" for worst in psnr.min()} & set(shown)


def test_nothing_comes_from_elsewhere_and_all_that_is_named_is_there(site, pages):
    for page in pages.values():
        local = [link for link in page.links if not link.startswith("https://")]
        for file in {*page.loads, *local} - {"data:,"}:
            assert (site / file).is_file()
    for asset in ("site.css", "site.js"):
        assert "//" not in re.sub(r"^// .*", "", (site / asset).read_text(), flags=re.M)


@pytest.mark.parametrize(
    "name", [n for n, path in RESULTS.items() if "truth" in pd.read_parquet(path)]
)
def test_pictures_have_the_truth_first_then_the_best(name, site, pages):
    results = pd.read_parquet(RESULTS[name])
    found = psnr_of_first_image(results)
    datasets = results["dataset_name"].unique()
    for title, dataset in zip(column_labels(datasets), datasets):
        rows = results[(results["dataset_name"] == dataset) & results["truth"].notna()]
        stem = f"{name}_{file_name(title)}_"
        # "ct" is the beginning of other names.
        numbers = {
            int(number): path
            for path in site.glob(f"pictures/{stem}*.png")
            if (number := path.stem.removeprefix(stem)).isdigit()
        }
        files = [numbers[i] for i in sorted(numbers)]
        assert len(files) == (2 + len(rows) if len(rows) else 0)
        if not files:
            continue
        first, second, *others = (path.read_bytes() for path in files)
        assert first == rows["truth"].iloc[0]
        assert second == rows["measurement"].iloc[0]
        psnr_of = dict(zip(rows["reconstruction"], found[dataset][rows["solver_name"]]))
        assert sorted(others) == sorted(rows["reconstruction"])
        fine = others[: rows["psnr"].notna().sum()]
        psnrs = [psnr_of[png] for png in fine]
        assert psnrs == sorted(psnrs, reverse=True)
        labels = [pages[name].pictures[f"pictures/{path.name}"] for path in files]
        assert labels[0].strip() == "Truth"
        for label, psnr in zip(labels[2:], psnrs):
            assert label.endswith(f"{psnr:.2f} dB")


def test_the_psnr_of_a_detail_is_that_of_the_first_image_and_not_of_the_mean():
    results = pd.read_parquet(RESULTS["natural"])
    psnr = psnr_of_first_image(results)
    for row in results.to_dict("records"):
        of_images = json.loads(row["per_image"])
        assert of_images["image"][0] == "astronaut"
        assert psnr[row["dataset_name"], row["solver_name"]] == of_images["psnr"][0]
        assert of_images["psnr"][0] != row["psnr"]


def test_a_page_says_when_older_code_made_its_results(pages):
    older = {n for n, p in pages.items() if "Older code made these" in p.text}
    published = [path.stem for path in (ROOT / "results").glob("*.parquet")]
    _, _, said = versions_sentence(published).partition("Older code")
    assert older == set(re.findall(r"`(\w+)`", said))


def test_the_code_that_pages_link_is_that_of_the_benchmark():
    assert BENCHMARK.url == build_site.REPOSITORY


def test_a_page_shows_its_configuration_and_the_run(pages):
    for name, stem in {"fire_admm_bsd20": "fire_admm", "natural": "natural"}.items():
        assert f"benchopt run . --config config/{stem}.yml" in pages[name].text
        assert "output: " + stem in pages[name].text


def test_what_is_recorded_of_the_run_is_said():
    run = {
        "date": "2026-11-27T08:07:37+00:00",
        "gpu": None,
        "cpu": "Xeon",
        "threads": 1,
        "commit": "0123456789",
        "dirty": True,
    }
    run["versions"] = {"torch": "2.14.1", "deepinv": "0.5.0"}
    results = pd.DataFrame({"dataset_name": ["natural[problem=sr4]"], "version": "abc"})
    told = dict(facts.facts_of(results, ["cat"]))
    assert told["Run"] == "its date, machine and versions were not recorded"
    told = dict(facts.facts_of(results.assign(run=json.dumps(run)), ["cat"]))
    assert told == {
        "Data": "natural",
        "Test images": "cat",
        "Code": "digest abc",
        "Run": "2026-11-27",
        "Commit": "0123456, with changes",
        "Machine": "Xeon, threads: 1",
        "Versions": "torch 2.14.1, deepinv 0.5.0",
    }


@pytest.mark.parametrize(
    "shallow, found",
    [("false", {"commit": "abc", "date": "2026-11-27"}), ("true", None), ("", None)],
)
def test_the_date_is_that_of_the_commit_where_the_clone_has_its_history(
    shallow, found, monkeypatch
):
    answers = {"rev-parse": shallow, "log": "abc 2026-11-27"}
    monkeypatch.setattr(facts, "git", lambda command, *rest: answers[command])
    assert facts.published("natural") == found


# Clicks through a page, and leaves in its body what is seen.
USE = """<script>
addEventListener("load", () => {
  const seen = {};
  const last = () => document.querySelector("tbody").rows[0].cells[0].textContent;
  document.querySelectorAll("thead th")[4].click();
  seen.best_on_sr4 = last();
  document.querySelectorAll("thead th")[4].click();
  seen.worst_on_sr4 = last();
  document.querySelectorAll(".pictures")[1].children[2].click();
  const viewer = document.getElementById("viewer");
  const state = () => [viewer.open, viewer.dataset.mode, ...[...viewer
    .querySelectorAll("img")].map(img => img.src.split("/").at(-1))];
  seen.opened = state();
  viewer.querySelector("[value=error]").click();
  viewer.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
  seen.next = state();
  viewer.querySelector("[aria-label=Close]").click();
  seen.closed = !viewer.open;
  document.body.textContent = JSON.stringify(seen);
});
</script></body>"""


def test_tables_sort_and_pictures_open_over_the_truth(site, tmp_path):
    probed = site / "probed.htm"
    probed.write_text((site / "natural.html").read_text().replace("</body>", USE))
    dom = dom_of(probed, tmp_path)
    seen = json.loads(re.search(r"<body>(.*)</body>", dom, re.DOTALL)[1])
    sr4 = pd.read_parquet(RESULTS["natural"]).query("problem == 'sr4'")
    of_rank = sr4.sort_values("psnr", ascending=False)["solver_name"].tolist()
    truth = "natural_gaussian_deblurring_0.png"
    assert seen == {
        "best_on_sr4": of_rank[0],
        "worst_on_sr4": of_rank[-1],
        "opened": [True, "slider", "natural_gaussian_deblurring_2.png", truth],
        "next": [True, "error", "natural_gaussian_deblurring_3.png", truth],
        "closed": True,
    }
