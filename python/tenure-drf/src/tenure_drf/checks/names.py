"""What a name stands for in a piece of a project's source, as far as reading tells."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from types import ModuleType
from typing import Any

from django.conf import settings


class Names:
    """Those of one class or function, of its module, and of what it imports within."""

    def __init__(self, tree: ast.AST, module: ModuleType) -> None:
        self._known = vars(module) | _imported(tree, module)
        self._sessions: set[str] = set()
        self._rows: dict[str, type] = {}
        for target, value in _bound(tree):
            if _is_session(value):
                self._sessions.add(target)
            elif (model := self.model(value)) is not None:
                self._rows[target] = model

    def resolve(self, node: ast.expr) -> Any:
        """What it is; None if that shows only when it runs."""
        if isinstance(node, ast.Name):
            return self._known.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) or owner is settings else None
        return None

    def is_session(self, node: ast.expr) -> bool:
        """``request.session``, or another name of it; other things with its methods may be a database's."""
        return _is_session(node) or (isinstance(node, ast.Name) and node.id in self._sessions)

    def model(self, node: ast.expr) -> type | None:
        """``Token`` of ``Token.objects.filter(user=user).first()``, also by the name that this was given."""
        while not inspect.isclass(found := self.resolve(node)):
            if isinstance(node, ast.Name):
                return self._rows.get(node.id)
            if isinstance(node, ast.Call):
                node = node.func
            elif isinstance(node, ast.Attribute | ast.Subscript | ast.Await):
                node = node.value
            else:
                return None
        return found


def _bound(tree: ast.AST) -> list[tuple[str, ast.expr]]:
    """Names with what they are given, in the order in which they stand there."""
    found: list[tuple[int, str, ast.expr]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.For | ast.AsyncFor):
            pairs = [(node.target, node.iter)]
        elif isinstance(node, ast.NamedExpr):
            pairs = [(node.target, node.value)]
        else:
            continue
        for target, value in pairs:
            if isinstance(target, ast.Name | ast.Tuple):
                names = [one.id for one in ast.walk(target) if isinstance(one, ast.Name)]
                found += [(node.lineno, name, value) for name in names]
    return [(name, value) for _, name, value in sorted(found, key=lambda one: one[0])]


def _is_session(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "session"


def _imported(tree: ast.AST, module: ModuleType) -> dict[str, Any]:
    """What is imported within functions, as far as it is loaded already."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            try:
                source = sys.modules.get(importlib.util.resolve_name(name, module.__package__))
            except ImportError:
                continue
            for alias in node.names:
                if source is not None and hasattr(source, alias.name):
                    found[alias.asname or alias.name] = getattr(source, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                loaded = sys.modules.get(alias.name if alias.asname else alias.name.split(".")[0])
                found[alias.asname or alias.name.split(".")[0]] = loaded
    return found
