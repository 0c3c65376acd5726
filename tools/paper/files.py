"""Names of files that commands write, checked before their work begins."""

import argparse
from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase


def picture_file(text):
    """The path of a picture to write, as an option of ``argparse``.

    Raises
    ------
    argparse.ArgumentTypeError
        It has no suffix of a picture, or its folder is not there.
    """
    path = Path(text)
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise argparse.ArgumentTypeError(
            f"{text} must end in one of .{', .'.join(sorted(kinds))}."
        )
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"There is no folder {path.parent}.")
    return path
