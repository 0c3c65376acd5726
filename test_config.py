"""What ``benchopt test`` needs to know: which datasets it may read."""

import pytest

NEED_DOWNLOADS = {"bsd", "set3c", "imagenet100", "fastmri", "lidc", "lodopab"}


def check_test_dataset_get_data(benchmark, dataset_class):
    """Image sets that are downloaded on first use are not fetched by tests."""
    if dataset_class.name in NEED_DOWNLOADS:
        pytest.skip(f"{dataset_class.name} is downloaded on first use")
