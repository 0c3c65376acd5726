"""What every room may use: errors, parameters, names, paths, checksums, momentum."""

from benchmark_utils.common.errors import Unavailable
from benchmark_utils.common.momentum import next_momentum
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
    "ShortName",
    "Unavailable",
    "check_parameters",
    "next_momentum",
    "one_of",
    "whole",
]
