"""The code of a source, without what is written there for people to read."""

import ast
import io
import math
import re
import tokenize
from collections import defaultdict

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def without_prose(content, tree):
    """A source without its comments, docstrings and empty lines.

    They are cut out of the text: what Python makes of it (``ast.unparse``) differs from
    one version to another. Comments between the parts of one text stay.

    Parameters
    ----------
    content : bytes
    tree : ast.Module, what ``ast.parse`` makes of it

    Returns
    -------
    bytes, in UTF-8
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    lines = content.decode(encoding).encode().splitlines()
    nodes = list(ast.walk(tree))
    docstrings = {_span(node.body[0]) for node in nodes if _is_documented(node)}
    texts = {_span(node) for node in nodes if _is_text(node)} - docstrings
    cuts = docstrings.union(_comments(lines, docstrings | texts))
    # The last one first: the others keep their places.
    for (row, start), (end_row, end) in sorted(cuts, reverse=True):
        lines[row] = lines[row][:start] + lines[end_row][end:]
        lines[row + 1 : end_row + 1] = [b""] * (end_row - row)
    # Spaces and empty lines count inside of the texts that are left.
    inside = {row for (first, _), (last, _) in texts for row in range(first, last)}
    rows = enumerate(lines)
    kept = (line if row in inside else line.rstrip() or None for row, line in rows)
    return b"\n".join(line for line in kept if line is not None)


def _is_documented(node):
    return isinstance(node, DOCUMENTED) and ast.get_docstring(node, False) is not None


def _is_text(node):
    is_constant = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    return is_constant or isinstance(node, ast.JoinedStr)


def _span(node):
    """((row, column), (row, column)), from 0, in bytes of UTF-8."""
    start = node.lineno - 1, node.col_offset
    return start, (node.end_lineno - 1, node.end_col_offset)


def _comments(lines, texts):
    """The spans of all comments: what follows the first # that is in no text."""
    in_texts = defaultdict(list)
    for (row, start), (end_row, end) in texts:
        for each in range(row, end_row + 1):
            first = start if each == row else 0
            in_texts[each].append((first, end if each == end_row else math.inf))
    for row, line in enumerate(lines):
        for sign in re.finditer(b"#", line):
            if not any(a <= sign.start() < b for a, b in in_texts[row]):
                yield (row, sign.start()), (row, len(line))
                break
