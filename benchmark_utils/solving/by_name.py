"""Solvers and datasets by the names that benchopt's command line takes."""

import click

from benchmark_utils.common.errors import NotApplicable


def solvers_by_name(benchmark, patterns):
    """[(class, {parameter: values})] of the solvers that patterns name.

    Raises
    ------
    NotApplicable
        There is no such solver, or it has no such parameter.
    """
    return _in_a_sentence(benchmark.check_solver_patterns, patterns)


def datasets_by_name(benchmark, patterns):
    """The same of datasets."""
    return _in_a_sentence(benchmark.check_dataset_patterns, patterns)


def _in_a_sentence(check, patterns):
    try:
        return check(patterns)
    except click.BadParameter as error:
        raise NotApplicable(error.message) from error
    # Of parameters; benchopt keeps the errors of files for when they are used.
    except ValueError as error:
        raise NotApplicable(" ".join(str(error).split())) from error
