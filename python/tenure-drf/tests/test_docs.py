"""Nothing on the pages is other than it is: their code runs, and their tables name what there is."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.test import Client

from backends import ROOT, Rig, Tenure
from conftest import Browser, Configure, call, user
from shop.models import Person
from tenure_drf import permissions
from tenure_drf.conf import Options, faults

README = ROOT / "python/tenure-drf/README.md"
GUIDE = ROOT / "docs/guide/django.md"
BLOCKS = [
    (page.name, name or f"line {text[: found.start()].count(chr(10)) + 1}", found["code"])
    for page in (README, GUIDE)
    for text in [page.read_text()]
    for found in re.finditer(r"^```python(?: name=(?P<name>\S+))?\n(?P<code>.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for name in [found["name"]]
]


def block(name: str) -> dict[str, Any]:
    [code] = [code for _, of, code in BLOCKS if of == name]
    made: dict[str, Any] = {}
    exec(compile(code, name, "exec"), made)
    return made


def rows(page: Path, heading: str) -> list[list[str]]:
    text = page.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]


@pytest.mark.parametrize(("page", "name", "code"), BLOCKS)
def test_the_code_of_the_pages_can_be_read_and_finds_what_it_imports(page: str, name: str, code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


def test_the_quickstart_is_told_nothing(settings: Any) -> None:
    made = block("settings.py")
    assert faults(made["TENURE"]) == []
    settings.AUTH_USER_MODEL = "shop.Plain"
    for name in ("TENURE", "REST_FRAMEWORK"):
        setattr(settings, name, made[name])
    assert checks.run_checks(tags=["tenure"]) == []


def test_the_settings_of_the_move_are_told_nothing_but_simplejwts_own(settings: Any) -> None:
    made = block("moving.py")
    settings.AUTH_USER_MODEL = "shop.Plain"
    for name in ("TENURE", "REST_FRAMEWORK"):
        setattr(settings, name, made[name])
    # It hands its tokens out by its own defaults there, of a day and with SECRET_KEY.
    assert [one.id for one in checks.run_checks(tags=["tenure"])] == ["tenure.W012", "tenure.W014"]


@pytest.mark.django_db
def test_administrators_outlive_redis_and_the_api_does_not_notice(
    server: Tenure, configure: Configure, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = Rig("redis")
    try:
        monkeypatch.setenv("REDIS_URL", redis.url)
        for name, value in block("sessions.py").items():
            if name.isupper():
                setattr(settings, name, value)
        configure(server)
        assert checks.run_checks(tags=["tenure"]) == []
        root = Person(email="root@example.com", full_name="r", is_staff=True)
        root.set_password("correct horse")
        root.save()
        # A Secure cookie goes over https alone.
        admin = Client(raise_request_exception=False)
        form = {"username": root.email, "password": "correct horse"}
        assert admin.post("/admin/login/?next=/admin/", form, secure=True).status_code == 302
        assert admin.get("/admin/", secure=True).status_code == 200
        ada = Browser(server, user(server))
        assert call("/me", ada).status_code == 200
        redis.say("kill")
        assert admin.get("/admin/", secure=True).status_code == 500
        assert call("/me", ada).status_code == 200
        # It comes back empty.
        redis.say("start")
        assert admin.get("/admin/", secure=True).status_code == 200
    finally:
        redis.end()


def test_the_table_of_settings_is_the_one_of_the_code() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(README, "Settings")}
    assert list(told) == [field.name.upper() for field in fields(Options)]
    for field in fields(Options):
        if field.name != "issuer":
            assert ast.literal_eval(told[field.name.upper()]) == field.default


def test_every_check_has_its_line_and_every_line_its_check() -> None:
    source = "".join(path.read_text() for path in (ROOT / "python/tenure-drf/src/tenure_drf").rglob("*.py"))
    there = set(re.findall(r"tenure\.[EW]\d{3}", source))
    told = GUIDE.read_text().split("## What the checks say")[1]
    first, last = (int(number) for number in re.findall(r"`tenure\.E(\d+)` to `tenure\.E(\d+)`", told)[0])
    named = set(re.findall(r"tenure\.[EW]\d{3}", told)) | {f"tenure.E{number:03}" for number in range(first, last + 1)}
    assert named == there


def test_every_permission_has_its_line() -> None:
    told = {name for row in rows(GUIDE, "What they may do") for name in re.findall(r"`(\w+)", row[0])}
    for name in told:
        assert hasattr(permissions, name)
    own = {name for name in dir(permissions) if name.startswith(("Has", "Is", "Requires"))}
    assert told == own
