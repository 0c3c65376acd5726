"""What every room may use: errors, parameters, names, paths, checksums, momentum."""

from benchmark_utils.common.descriptions import Described
from benchmark_utils.common.errors import NotApplicable, Unavailable
from benchmark_utils.common.fingerprint import Fingerprinted
from benchmark_utils.common.momentum import next_momentum
from benchmark_utils.common.naming import ShortName
from benchmark_utils.common.parameters import (
    COUNT,
    DENSITY,
    FLAG,
    LEVEL,
    POSITIVE,
    SHARE,
    check_parameters,
    one_of,
    one_or_each,
    whole,
)

__all__ = [
    "COUNT",
    "DENSITY",
    "FLAG",
    "LEVEL",
    "POSITIVE",
    "SHARE",
    "Described",
    "Fingerprinted",
    "NotApplicable",
    "ShortName",
    "Unavailable",
    "check_parameters",
    "next_momentum",
    "one_of",
    "one_or_each",
    "whole",
]
