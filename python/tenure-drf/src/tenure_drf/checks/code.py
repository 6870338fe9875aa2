"""What is found by reading the project's own source: calls of ``logout()``, and a ``SECRET_KEY`` that changes."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from django.conf import settings
from django.contrib import auth
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from django.utils.module_loading import import_string
from rest_framework.settings import api_settings

#: How far calls are followed from what runs for each request.
DEPTH_MAX: Final = 4

#: Whose functions are not followed: Django's own end a session only where its password has changed.
NOT_FOLLOWED: Final = ("django", "rest_framework", "tenure_drf")

#: What empties a session, if it is called on one.
EMPTIES: Final = ("flush", "aflush", "clear")

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


def middleware_signs_nobody_out(**_: Any) -> list[CheckMessage]:
    """Whatever runs for each request: middleware, and the framework's classes."""
    found: list[CheckMessage] = []
    for path in settings.MIDDLEWARE:
        try:
            one = import_string(path)
        except ImportError:
            # Django tells of it by itself.
            continue
        found += _told(path, one)
    others: list[Any] = [*api_settings.DEFAULT_AUTHENTICATION_CLASSES, *api_settings.DEFAULT_PERMISSION_CLASSES]
    for one in (*others, api_settings.EXCEPTION_HANDLER):
        found += _told(f"{one.__module__}.{one.__name__}", one)
    return found


def _told(path: str, one: Any) -> list[CheckMessage]:
    places = list(dict.fromkeys(Search().of(one)))
    if not places:
        return []
    text = f"{path} ends sessions while a request is served, at {', '.join(places)}."
    hint = "Answer 402 or 403 instead, with TenurePermission and its kin: a plan or an account says nothing of who is signed in."
    return [Caution(text, hint=hint, id="tenure.W001")]


class Search:
    """Follows the calls of a class or function through the project's source."""

    def __init__(self) -> None:
        self._seen: set[object] = set()

    def of(self, one: Any, depth: int = 0) -> Iterator[str]:
        """Where sessions are ended, as ``module:line``."""
        if one in self._seen or depth > DEPTH_MAX:
            return
        self._seen.add(one)
        parts = [part for part in one.__mro__ if part is not object] if inspect.isclass(one) else [inspect.unwrap(one)]
        for part in parts:
            # Above a project's own classes those of the framework stand, which are read as they are and not followed.
            module = sys.modules.get(getattr(part, "__module__", ""))
            tree = _source(part)
            if module is not None and tree is not None:
                yield from self._in(tree, module, depth)

    def _in(self, tree: ast.AST, module: ModuleType, depth: int) -> Iterator[str]:
        names = vars(module) | _imported(tree, module)
        sessions = _sessions(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = _resolve(node.func, names)
            if called in (auth.logout, auth.alogout) or _empties_session(node.func, sessions):
                yield f"{module.__name__}:{node.lineno}"
            elif isinstance(called, FunctionType) and called.__module__.split(".")[0] not in NOT_FOLLOWED:
                yield from self.of(called, depth + 1)


def _source(part: Any) -> ast.AST | None:
    try:
        lines, first = inspect.getsourcelines(part)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    # Without source there is nothing to say.
    except (OSError, TypeError, SyntaxError):
        return None
    return ast.increment_lineno(tree, first - 1)


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


def _resolve(node: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, names)
        return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
    return None


def _sessions(tree: ast.AST) -> set[str]:
    """Names that stand for a request's session; others may be a database's."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_session(node.value):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _is_session(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "session"


def _empties_session(node: ast.expr, sessions: set[str]) -> bool:
    """``request.session.flush()``, or the same by another name."""
    if not (isinstance(node, ast.Attribute) and node.attr in EMPTIES):
        return False
    owner = node.value
    return _is_session(owner) or (isinstance(owner, ast.Name) and owner.id in sessions)


def secret_key_stays(**_: Any) -> list[CheckMessage]:
    name = getattr(settings, "SETTINGS_MODULE", None)
    found: list[CheckMessage] = []
    for place, value in _assigned(name, "SECRET_KEY", set()) if isinstance(name, str) else ():
        calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)]
        if any(_called(call) in RANDOM for call in calls):
            text = f"SECRET_KEY is made anew whenever a process starts, at {place}: each restart signs everybody out."
            hint = "Read it from the environment or a secret's file, and let nothing start without it."
            found.append(Caution(text, hint=hint, id="tenure.W007"))
        elif not settings.DEBUG and _has_literal_fallback(value, calls):
            text = (
                f"SECRET_KEY falls back to another one, at {place}: a start without the variable signs everybody out."
            )
            hint = 'Let it fail: os.environ["SECRET_KEY"]. To change the key, keep the old one in SECRET_KEY_FALLBACKS.'
            found.append(Caution(text, hint=hint, id="tenure.W008"))
    return found


def _assigned(module: str, name: str, seen: set[str]) -> Iterator[tuple[str, ast.expr]]:
    """The values that a settings module gives a name, also by way of what it imports with a star."""
    spec = importlib.util.find_spec(module) if module not in seen else None
    seen.add(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                yield f"{module}:{node.lineno}", node.value
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            path = "." * node.level + (node.module or "")
            yield from _assigned(importlib.util.resolve_name(path, spec.parent), name, seen)


def _called(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _has_literal_fallback(value: ast.expr, calls: list[ast.Call]) -> bool:
    """``environ.get("NAME", "another")``, ``env("NAME", default="another")``, ``... or "another"``."""
    words = [call.args[1] for call in calls if _called(call) in ("get", "getenv") and len(call.args) > 1]
    words += [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "default"]
    words += [node.values[-1] for node in ast.walk(value) if isinstance(node, ast.BoolOp)]
    return any(isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value for word in words)
