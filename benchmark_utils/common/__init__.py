"""What every room may use: errors, parameters, names, paths, checksums."""

from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.naming import ShortName
from benchmark_utils.common.parameters import (
    COUNT,
    DENSITY,
    LEVEL,
    POSITIVE,
    SHARE,
    check_parameters,
    one_of,
    whole,
)

__all__ = [
    "COUNT",
    "DENSITY",
    "LEVEL",
    "POSITIVE",
    "SHARE",
    "NotApplicable",
    "ShortName",
    "Unavailable",
    "check_parameters",
    "one_of",
    "whole",
]
