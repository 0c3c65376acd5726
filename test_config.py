"""What ``benchopt test`` needs to know: which files are downloaded on first use."""

import pytest

NEED_DOWNLOADS = {"bsd", "set3c", "imagenet100", "fastmri", "lidc", "lodopab"}


def check_test_dataset_get_data(benchmark, dataset_class):
    """Image sets that are downloaded on first use are not fetched by tests."""
    if dataset_class.name in NEED_DOWNLOADS:
        pytest.skip(f"{dataset_class.name} is downloaded on first use")


def check_test_solver_run(benchmark, solver_class):
    """Nor are networks of which nothing else is used."""
    if solver_class.name == "RAM":
        pytest.skip("its weights are downloaded on first use")
