"""Who may import whom: checks, fixtures and reports import trainhealth; trainhealth imports none of ours, no pytest and
no client; and what is costly is imported only where it is used."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = {"checks", "fixtures", "reports", "docs", "tests", "examples", "benchmarks"}
CLIENTS = {"pytest", "_pytest", "wandb", "requests", "duckdb", "pandas", "urllib3"}
HEAVY = {"wandb", "requests", "duckdb", "pandas", "matplotlib", "scipy", "pyarrow"}
FORBIDDEN = {
    "trainhealth": OURS | CLIENTS,
    "checks": (OURS - {"checks"}) | CLIENTS - {"pytest"},
    "fixtures": {"checks", "reports", "docs", "tests", "examples", "benchmarks"},
    "reports": {"checks", "fixtures", "docs", "tests", "examples", "benchmarks"},
}


def imports(tree: ast.AST, *, top: bool) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every import; with `top` only of those that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]
        elif not (top and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If)):
            yield from imports(node, top=top)


def broken_rules(root: Path) -> list[str]:
    found = []
    for folder, forbidden in FORBIDDEN.items():
        for file in sorted((root / folder).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            where = file.relative_to(root)
            found += [
                f"{where}:{line}: {folder} may not import {name}"
                for line, name in imports(tree, top=False)
                if name in forbidden
            ]
            found += [
                f"{where}:{line}: import {name} where it is used"
                for line, name in imports(tree, top=True)
                if name in HEAVY
            ]
    return found


if __name__ == "__main__":
    problems = broken_rules(ROOT)
    print("\n".join(problems) or "import rules hold")
    sys.exit(bool(problems))
