"""The pictures of the site: those of published results, and of runs of one's own."""

import io
import math

from PIL import Image

from benchmark_utils.scoring import (
    KEYS,
    column_labels,
    file_name,
    last_rows,
    unpacked,
    with_final_results,
    without_common_options,
)

KINDS = ("truth", "measurement", "reconstruction")


def details_of(results, image="the first test image"):
    """The detail of one image on each dataset that published results have pictures of.

    Yields
    ------
    (dataset, image, truth, measurement, rows) : str, str, bytes of two files, and a
        list of (solver, PSNR in dB of the image or NaN, bytes of a file).
    """
    if "truth" not in results:
        return
    psnr = psnr_of_first_image(results)
    for dataset, rows in pictured(results, results["truth"].notna()):
        truth, measurement = rows.iloc[0][["truth", "measurement"]]
        solvers, files = rows["solver_name"], rows["reconstruction"]
        found = [(name, psnr[dataset, name], png) for name, png in zip(solvers, files)]
        yield dataset, image, truth, measurement, found


def psnr_of_first_image(results):
    """The PSNR in dB of the image whose detail is published, by dataset and solver.

    That of the picture is another one: it is a part of the image, and one of tomography
    shows a window of its values.
    """
    scores = unpacked(results["per_image"]).drop_duplicates(KEYS)
    return scores.set_index(KEYS)["psnr"]


def images_of(df):
    """All the pictures that a run of benchopt has kept, as ``details_of`` gives them.

    Pictures are those of the first repetition; solvers
    of merged files may differ in how many they have.
    """
    rows = with_final_results(last_rows(df), "names")
    rows = rows.drop_duplicates(["dataset_name", "solver_name"])
    for dataset, of_dataset in pictured(rows):
        by_image = {}
        for row in of_dataset.to_dict("records"):
            kept = row["final_results"]
            for i, image in enumerate(kept["names"]):
                truth, measurement, ours = (kept[kind][i] for kind in KINDS)
                psnr = math.nan if row["objective_diverged"] else kept["psnr"][i]
                _, _, found = by_image.setdefault(image, (truth, measurement, []))
                found.append((row["solver_name"], psnr, ours))
        for image, shown in by_image.items():
            yield dataset, image, *shown


def pictured(results, where=slice(None)):
    """(dataset, its rows) of the results, in their order, that have pictures."""
    rows = results[where]
    for dataset in rows["dataset_name"].unique():
        yield dataset, rows[rows["dataset_name"] == dataset]


def groups_of(name, results, found, folder):
    """Write pictures into a folder, and list them: truth first, then the best.

    Parameters
    ----------
    name : str, of the experiment.
    results : DataFrame, of all its datasets and solvers.
    found : iterable of what ``details_of`` yields.
    folder : Path, with a folder "pictures".

    Returns
    -------
    list of dict, one per dataset: title, and images, a list of dict: name, pictures.
    """
    datasets = results["dataset_name"].unique()
    titles = dict(zip(datasets, column_labels(datasets)))
    solvers = list(results["solver_name"].unique())
    short = dict(zip(solvers, without_common_options(solvers)))
    groups = {}
    for dataset, image, truth, measurement, rows in found:
        title = titles[dataset]
        images = groups.setdefault(title, [])
        shown = [("Truth", "", truth), ("Measurement", "", measurement)]
        best_first = sorted(rows, key=lambda row: (math.isnan(row[1]), -row[1]))
        for solver, psnr, file in best_first:
            label = "diverged" if math.isnan(psnr) else f"{psnr:.2f} dB"
            shown.append((short[solver], label, file))
        stem = f"pictures/{name}_{file_name(title)}"
        stem += f"_image{len(images)}" * bool(images)
        pictures = []
        for i, (solver, label, file) in enumerate(shown):
            path = f"{stem}_{i}.{Image.open(io.BytesIO(file)).format.lower()}"
            (folder / path).write_bytes(file)
            pictures.append({"solver": solver, "label": label, "file": path})
        images.append({"name": image, "pictures": pictures})
    return [{"title": title, "images": images} for title, images in groups.items()]
