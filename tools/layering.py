"""The check that every import of towerws follows the map of its layers.

Arrows only point down: composition, then shells, then the core. `tools.layering_map` says for each
package or module which parts of towerws and which third-party packages it may import; the standard
library is free for all but the core, which gets none of its I/O and clocks. A module without an
entry has no place in the house and is reported.

Run as `python -m tools.layering` from the top of the checkout. An import counts wherever it stands:
at the top of the file, inside a function, or under `TYPE_CHECKING`. Only in the search for cycles,
and only outside the core, two modules may know each other's types.
"""

import ast
import graphlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.layering_map import MAP

ROOT = Path(__file__).resolve().parent.parent

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, where a source names it.

    Attributes:
        importer: Dotted name of the importing module.
        target: Dotted name as written, `package.name` for `from package import name`.
        line: Line number, from 1.
        relative: Whether it was written with leading dots.
        in_function: Whether it waits inside a function until that is called.
        for_types: Whether it stands under `TYPE_CHECKING` and is never executed.
    """

    importer: str
    target: str
    line: int
    relative: bool
    in_function: bool
    for_types: bool


def imports_of(importer: str, source: str) -> Iterator[Import]:
    """Read the imports of a source text.

    Args:
        importer: Dotted name of the module.
        source: Its text.

    Yields:
        One `Import` for each imported name, in no set order.
    """
    waiting: list[tuple[ast.AST, bool, bool]] = [(ast.parse(source), False, False)]
    while waiting:
        node, *circumstances = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, node.lineno, False, *circumstances)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                target = f"{node.module or ''}.{alias.name}".lstrip(".")
                yield Import(importer, target, node.lineno, node.level > 0, *circumstances)
        else:
            in_function, for_types = circumstances
            in_function = in_function or isinstance(node, _FUNCTIONS)
            waiting.extend(
                (child, in_function, for_types or _for_types(node, child))
                for child in ast.iter_child_nodes(node)
            )


def _for_types(node: ast.AST, child: ast.AST) -> bool:
    """Tell whether `child` is in the body of an `if TYPE_CHECKING:`."""
    return (
        isinstance(node, ast.If)
        and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        and child in node.body
    )


def place_of(module: str) -> str | None:
    """Find the entry of `MAP` that a module falls under.

    Args:
        module: Dotted name.

    Returns:
        The longest entry that is the module or a package around it; `None` if it has no place.
        The top package `towerws` takes in only itself and the names in it.
    """
    name = module
    while name not in MAP:
        name = name.rpartition(".")[0]
        if not name:
            return None
    return name if name != "towerws" or module == "towerws" else None


def violations(modules: Mapping[str, str]) -> list[str]:
    """Check sources against `MAP`.

    Args:
        modules: Source texts by dotted module name.

    Returns:
        One sentence for each import that breaks the map, each module without a place, and each
        cycle; empty when all is well.
    """
    found = []
    edges: dict[str, set[str]] = {}
    for module, source in sorted(modules.items()):
        home = place_of(module)
        if home is None:
            found.append(f"{module}: has no place in tools/layering_map.py")
            continue
        for imported in sorted(imports_of(module, source), key=lambda found: found.line):
            found.extend(_objections(home, imported, modules))
            if home == "towerws.core" or not imported.for_types:
                edges.setdefault(module, set()).add(_module_named(imported.target, modules))
    found.extend(_cycles(edges))
    return found


def _module_named(target: str, modules: Iterable[str]) -> str:
    """Reduce `package.module.name` to `package.module` where that is one of the modules."""
    return target if target in modules else target.rpartition(".")[0] or target


def _objections(home: str, imported: Import, modules: Iterable[str]) -> Iterator[str]:
    """Say what is wrong with one import of a module that lives in `home`."""
    where = f"{imported.importer}:{imported.line}:"
    if imported.relative:
        yield f"{where} relative import of {imported.target}; write the full name"
        return
    if imported.target == "twisted.internet.reactor" and not imported.in_function:
        yield f"{where} imports the reactor while being loaded; take it as a parameter"
    place = MAP[home]
    top = imported.target.partition(".")[0]
    if top == "towerws":
        target = _module_named(imported.target, modules)
        allowed = (place_of(target) or target) in place.towerws
    elif top in sys.stdlib_module_names:
        allowed = top not in place.barred
    else:
        allowed = top in place.third_party
    if not allowed:
        yield f"{where} {home} may not import {imported.target}"


def _cycles(edges: Mapping[str, set[str]]) -> Iterator[str]:
    """Report a cycle among the modules, if there is one."""
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        yield f"imports go round in a circle: {' <- '.join(error.args[1])}"


def read_modules(root: Path = ROOT) -> dict[str, str]:
    """Read the sources that the map speaks of.

    Args:
        root: Top of a checkout.

    Returns:
        Source texts of all modules under `towerws/` and `twisted/`, by dotted name.
    """
    modules = {}
    for part in ("towerws", "twisted"):
        for path in (root / part).rglob("*.py"):
            names = path.relative_to(root).with_suffix("").parts
            names = names[:-1] if names[-1] == "__init__" else names
            modules[".".join(names)] = path.read_text(encoding="utf-8")
    return modules


def main() -> int:
    """Print every violation in this checkout.

    Returns:
        The exit status: 0 when there is none, 1 otherwise.
    """
    modules = read_modules()
    found = violations(modules)
    for sentence in found:
        print(sentence)
    print(f"{len(modules)} modules read, {len(found)} imports against the map")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
