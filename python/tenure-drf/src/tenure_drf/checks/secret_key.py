"""A ``SECRET_KEY`` that changes, found by reading the settings module and what it imports with a star."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution

NAME: Final = "SECRET_KEY"

#: What answers differently each time that a process starts.
RANDOM: Final = (
    "get_random_secret_key",
    "token_hex",
    "token_urlsafe",
    "token_bytes",
    "urandom",
    "randbytes",
    "uuid1",
    "uuid4",
    "choice",
    "choices",
)

#: The first argument of whatever reads a variable, however it is called: ``env("SECRET_KEY", "another")``.
VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")

#: How one asks whether a variable is there.
ASKS: Final = {NAME, "environ", "getenv"}


class Given(NamedTuple):
    """A value that the settings give to the key."""

    place: str
    value: ast.expr
    #: Whether it is given where the variable was asked for and is missing.
    is_instead: bool


def secret_key_stays(**_: Any) -> list[CheckMessage]:
    name = getattr(settings, "SETTINGS_MODULE", None)
    found: list[CheckMessage] = []
    for given in _given(name, set()) if isinstance(name, str) else ():
        if any(_called(call) in RANDOM for call in _calls(given.value)):
            text = f"SECRET_KEY is made anew whenever a process starts, at {given.place}: each restart signs everybody out."
            hint = "Read it from the environment or a secret's file, and let nothing start without it."
            found.append(Caution(text, hint=hint, id="tenure.W007"))
        elif not settings.DEBUG and _falls_back(given):
            text = (
                f"SECRET_KEY falls back to another one, at {given.place}: "
                "a start without the variable signs everybody out."
            )
            hint = 'Let it fail: os.environ["SECRET_KEY"]. To change the key, keep the old one in SECRET_KEY_FALLBACKS.'
            found.append(Caution(text, hint=hint, id="tenure.W008"))
    return found


def _given(module: str, seen: set[str]) -> Iterator[Given]:
    spec = importlib.util.find_spec(module) if module not in seen else None
    seen.add(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    instead = set(_instead(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == NAME for target in targets):
                yield Given(f"{module}:{node.lineno}", node.value, node in instead)
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            path = "." * node.level + (node.module or "")
            yield from _given(importlib.util.resolve_name(path, spec.parent), seen)


def _instead(tree: ast.AST) -> Iterator[ast.AST]:
    """All that stands below ``except``, or below an ``if`` that asks for the variable and not for development."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) or (isinstance(node, ast.If) and _asks(node.test)):
            yield from ast.walk(node)


def _asks(test: ast.expr) -> bool:
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(test) if isinstance(node, ast.Attribute)}
    return not names.isdisjoint(ASKS) and "DEBUG" not in names


def _calls(value: ast.expr) -> list[ast.Call]:
    return [node for node in ast.walk(value) if isinstance(node, ast.Call)]


def _called(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _falls_back(given: Given) -> bool:
    """``environ.get("NAME", "another")``, ``env("NAME", default="another")``, ``... or "another"``, ``... else "another"``."""
    if given.is_instead and _is_word(given.value):
        return True
    words: list[ast.expr] = []
    for node in ast.walk(given.value):
        if isinstance(node, ast.Call):
            if len(node.args) > 1 and _reads_variable(node):
                words.append(node.args[1])
            words += [keyword.value for keyword in node.keywords if keyword.arg == "default"]
        elif isinstance(node, ast.BoolOp):
            words.append(node.values[-1])
        # Also `key if key else "another"`.
        elif isinstance(node, ast.IfExp) and (_asks(node.test) or ast.dump(node.test) == ast.dump(node.body)):
            words += [node.body, node.orelse]
    return any(_is_word(word) for word in words)


def _reads_variable(call: ast.Call) -> bool:
    first = call.args[0]
    if _called(call) in ("get", "getenv"):
        return True
    return isinstance(first, ast.Constant) and bool(VARIABLE.fullmatch(str(first.value)))


def _is_word(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value)
