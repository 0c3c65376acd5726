"""Operators of the benchmark, made without a dataset."""

from benchmark_utils.physics.problems import PROBLEMS, make_problem


def make_physics(problem, shape, generator, n_images=1, problems=PROBLEMS, **strengths):
    """The physics of a problem, for ``n_images`` images of ``shape`` (C, H, W)."""
    problem = make_problem(problem, problems, **strengths)
    return problem.physics(shape, generator, range(n_images))
