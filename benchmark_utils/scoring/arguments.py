"""What ``evaluate`` is given: checked before anything is run."""

from pathlib import Path

from benchmark_utils.common.errors import NotApplicable

# Of a file, with what its page and a second run add to it.
LONGEST_NAME = 150


def as_list(patterns):
    return [patterns] if isinstance(patterns, str) else list(patterns)


def check_arguments(
    function,
    dataset,
    name,
    output,
    images=None,
    physics=None,
    against=(),
    noise_level=None,
):
    """Raise ``NotApplicable`` for what would fail, or be lost, after the run."""
    if not callable(function):
        raise NotApplicable(
            f"function is what is called with y and physics, not {function!r}."
        )
    if not isinstance(name, str) or not name.strip():
        raise NotApplicable(f"name is what to call the function, not {name!r}.")
    if not isinstance(output, str) or Path(output).name != output:
        raise NotApplicable(
            f"output is a name, and the file goes to outputs/: not {output!r}."
        )
    is_name = output.strip() and not output.startswith(".") and "\0" not in output
    if not is_name or len(output.encode()) > LONGEST_NAME:
        raise NotApplicable(
            f"output is the name of a file, of {LONGEST_NAME} bytes at most, not "
            f"{output!r}."
        )
    if not isinstance(against, str | list | tuple | set) or not all(
        isinstance(solver, str | Path) for solver in as_list(against)
    ):
        raise NotApplicable(
            f'against is the name of a solver, as "TV", or a list of them: not '
            f"{against!r}."
        )
    if images is not None:
        if dataset is not None:
            raise NotApplicable("Give a dataset or images, not both.")
        if physics is None:
            raise NotApplicable(
                'physics is what measures the images: "sr4", "/my/file.py", a deepinv '
                "LinearPhysics, or a function (shape, generator) that makes it."
            )
        return
    if physics is not None:
        raise NotApplicable(
            "physics is for images; the problem of a dataset is in its name: "
            '"natural[problem=sr4]".'
        )
    if noise_level is not None:
        raise NotApplicable(
            "noise_level is for images; that of a dataset is in its name: "
            '"natural[problem=sr4,noise_level=0.05]".'
        )
    datasets = (
        as_list(dataset) if isinstance(dataset, str | list | tuple) else [dataset]
    )
    if not datasets or not all(isinstance(d, str) and d.strip() for d in datasets):
        raise NotApplicable(
            f'dataset is the name of one, as "natural", or a list of names, not '
            f"{dataset!r}."
        )
