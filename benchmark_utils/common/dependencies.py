"""What a file of code depends on, read from its source: modules, files, packages.

Imports are followed where a module lies in this repository, beside the file, or in a
folder of sys.path where nothing is installed; the others are packages, told by their
names. Nothing is executed, and an import by a computed name is not seen.

A name that is imported through the ``__init__.py`` of a package depends on the module
that defines it, and not on what else this ``__init__.py`` imports. Comments and
docstrings count for nothing.
"""

import ast
import hashlib
import sys
import sysconfig
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

from benchmark_utils.common.prose import without_prose

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Dependencies:
    """Attributes
    ----------
    code : dict {path: Source}, the file itself among them.
    data : set of paths of the files that the code names, Markdown apart.
    folders : set of paths of the folders that it names.
    packages : set of names, as they are imported.
    strings, calls : set of the constants of one line, and of the names of what is
        called, in the code that is not shared.
    """

    code: dict = field(default_factory=dict)
    data: set = field(default_factory=set)
    folders: set = field(default_factory=set)
    packages: set = field(default_factory=set)
    strings: set = field(default_factory=set)
    calls: set = field(default_factory=set)

    def __or__(self, other):
        """The dependencies of two files together."""
        names = [entry.name for entry in fields(self)]
        return Dependencies(*(getattr(self, n) | getattr(other, n) for n in names))


@dataclass(frozen=True)
class Source:
    """What is read of a file.

    Attributes
    ----------
    digest : str, the sha256 of its code (of its content, where that is no Python).
    imports : tuple of (module, name, level): ``from module import name``, or
        ``import module`` where the name is None. The level is the number of dots.
    calls : set of the names of the functions and methods that it calls.
    strings : tuple of its constants of one line.
    paths : tuple of those that are joined into paths: Path(...) / "kernels" / "a.npz".
    is_face : whether it imports, and does nothing else.
    exports : dict {name: (module, name, level)} of what it imports by name.
    """

    digest: str = ""
    imports: tuple = ()
    calls: frozenset = frozenset()
    strings: tuple = ()
    paths: tuple = ()
    is_face: bool = True
    exports: dict = field(default_factory=dict)


def dependencies(file, root=ROOT):
    """The dependencies of a file: a solver, a dataset, the objective."""
    return _Reader(Path(file).resolve(), Path(root).resolve()).read()


def read_source(path):
    """The ``Source`` of a file as it is now; empty where there is none."""
    try:
        status = path.stat()
    except OSError:
        return Source()
    return _parsed(path, status.st_size, status.st_mtime_ns)


@cache
def _parsed(path, size, time):
    try:
        content = path.read_bytes()
    except OSError:
        return Source()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        # Its import fails, and benchopt says why.
        return Source(hashlib.sha256(content).hexdigest(), is_face=False)
    imports, exports, calls, strings, joined = [], {}, set(), {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            strings[node.value] = None
        elif isinstance(node, ast.Import):
            imports += [(alias.name, None, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                line = (node.module or "", alias.name, node.level)
                imports.append(line)
                exports[alias.asname or alias.name] = line
        elif isinstance(node, ast.BinOp | ast.Call):
            joined.update(dict.fromkeys(_joined(node)))
            if isinstance(node, ast.Call):
                calls.add(_name(node.func))
    code = without_prose(content, tree)
    return Source(
        hashlib.sha256(code).hexdigest(),
        tuple(dict.fromkeys(imports)),
        frozenset(calls),
        tuple(filter(_may_be_a_path, strings)),
        tuple(filter(_may_be_a_path, joined)),
        all(_is_import(statement) for statement in tree.body),
        exports,
    )


def existing(name, base="."):
    """The resolved path of what is there, or None; ~ is the home of the user."""
    try:
        path = Path(base) / Path(name).expanduser()
        return path.resolve() if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        # Not a path that this machine can have.
        return None


def _may_be_a_path(value):
    return isinstance(value, str) and 0 < len(value) < 256 and value.isprintable()


def _is_import(statement):
    """Whether a statement is an import, a docstring, or ``__all__ = ...``."""
    if isinstance(statement, ast.Assign):
        return [ast.unparse(target) for target in statement.targets] == ["__all__"]
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _name(called):
    """The name of a function or a method; empty for what is computed."""
    return getattr(called, "attr", getattr(called, "id", ""))


def _joined(node):
    """The paths that a node joins from constants, by / or by a call, from any part on.

    Path(__file__).parent / "kernels" / "a.npz" gives "kernels/a.npz" and "a.npz".
    """
    parts = _parts(node)
    for start in range(len(parts) - 1, -1, -1):
        if parts[start] is None:
            return
        yield "/".join(parts[start:])


def _parts(node):
    """The parts of a path, None for those that are computed."""
    if isinstance(node, ast.Constant):
        return [node.value if isinstance(node.value, str) else None]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _parts(node.left) + _parts(node.right)
    if isinstance(node, ast.Call):
        name = _name(node.func)
        if name in ("Path", "join"):
            return [part for argument in node.args for part in _parts(argument)]
        is_method = isinstance(node.func, ast.Attribute)
        if is_method and name in ("joinpath", "expanduser", "resolve"):
            arguments = [part for argument in node.args for part in _parts(argument)]
            return _parts(node.func.value) + arguments
    return [None]


class _Reader:
    """Follows imports from one file."""

    def __init__(self, main, root):
        self.main, self.root = main, root
        self.shared = root / "benchmark_utils"
        self.found, self.seen = Dependencies(), set()
        self.folders = [root, main.parent, *_folders_of_code()]

    def read(self):
        self.take(self.main)
        return self.found

    def take(self, path):
        """Depend on a whole file, and on all that it imports."""
        if path in self.found.code:
            return
        source = self.found.code[path] = read_source(path)
        for line in source.imports:
            self.follow(path, *line)
        self.take_paths(path, source)
        if not path.is_relative_to(self.shared):
            self.found.strings.update(source.strings)
            self.found.calls.update(source.calls)

    def take_paths(self, path, source):
        """Depend on the files and folders that a file names, and that are there.

        They are looked for beside the file. Code that is not shared may also name
        folders, and what is beside its own folder or where benchopt is started.
        """
        named = {s for s in source.strings if "/" in s or Path(s).suffix}
        is_shared = path.is_relative_to(self.shared)
        bases = [path.parent]
        if not is_shared:
            bases += [path.parent.parent, Path.cwd()]
        found = {existing(name, b) for name in named.union(source.paths) for b in bases}
        for there in found - {None}:
            if there.is_file():
                if there.suffix not in ((".md", ".py") if is_shared else (".md",)):
                    self.found.data.add(there)
            # A folder that holds the code itself is not its data.
            elif not is_shared and there.is_dir() and there not in path.parents:
                self.found.folders.add(there)

    def follow(self, path, module, name, level):
        """Depend on what ``from module import name``, in a file, brings."""
        if (path, module, name, level) in self.seen:
            return
        self.seen.add((path, module, name, level))
        parts = module.split(".") if module else []
        base = self.base(path, parts, name, level)
        if base is None:
            if parts and parts[0] not in sys.stdlib_module_names:
                self.found.packages.add(parts[0])
            return
        for i in range(1, len(parts)):
            self.take_unless_face(base.joinpath(*parts[:i], "__init__.py"))
        target = base.joinpath(*parts)
        init = target / "__init__.py"
        if parts and target.with_suffix(".py").is_file():
            self.take(target.with_suffix(".py"))
        elif name in (None, "*"):
            self.take_if_there(init)
        else:
            self.follow_name(target, init, name)

    def follow_name(self, package, init, name):
        """Depend on one name of a package."""
        face = read_source(init)
        self.take_unless_face(init)
        submodule = package / f"{name}.py"
        if name in face.exports:
            self.follow(init, *face.exports[name])
        elif submodule.is_file():
            self.take(submodule)
        elif (package / name).is_dir():
            self.take_if_there(package / name / "__init__.py")
        else:
            self.take_if_there(init)

    def take_unless_face(self, init):
        if not read_source(init).is_face:
            self.take(init)

    def take_if_there(self, path):
        if path.is_file():
            self.take(path)

    def base(self, path, parts, name, level):
        """The folder where a module is looked for, or None if it is installed."""
        if level:
            return path.parents[min(level, len(path.parents)) - 1]
        if parts[0] in sys.stdlib_module_names:
            return None
        for folder in self.folders:
            target = folder.joinpath(*parts)
            # A folder without __init__.py gives its modules alone, as Python has it.
            modules = [target.with_suffix(".py"), target / "__init__.py"]
            if any(m.is_file() for m in (*modules, target / f"{name}.py")):
                return folder
        return None


def _folders_of_code():
    """The folders of sys.path where people write code, and nothing is installed."""
    installed = [Path(sysconfig.get_path(key)) for key in ("stdlib", "purelib")]
    for entry in sys.path:
        folder = Path(entry).absolute()
        is_ours = {"site-packages", "dist-packages"}.isdisjoint(folder.parts)
        if is_ours and folder.is_dir() and folder not in installed:
            yield folder
