"""`manage.py check --tag tenure`: each setting that signs people out is named with its remedy, and no other one is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from backends import Tenure, free_port
from conftest import Browser, Configure, api_key, user
from shop import middleware
from tenure_drf.checks.code import Search
from tenure_drf.conf import options

FOLDER = Path(__file__).parent

Fixture = Any


def told(deploy: bool = False) -> dict[str, checks.CheckMessage]:
    found = checks.run_checks(tags=["tenure"], include_deployment_checks=deploy)
    assert all(one.hint for one in found), found
    return {str(one.id): one for one in found}


def manage(settings: str, **environment: str) -> tuple[int, str]:
    path = os.pathsep.join(str(FOLDER.parent / name) for name in ("src", "tests", "examples"))
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--tag", "tenure", "--settings", settings],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def ids_in(text: str) -> list[str]:
    return sorted(set(re.findall(r"^\S+ \((tenure\.\w+)\)", text, re.MULTILINE)))


def test_a_site_that_is_set_up_as_its_guide_says_is_told_nothing() -> None:
    assert told() == {}


def test_the_site_of_the_random_sign_outs_is_told_of_each_cause(tmp_path: Path) -> None:
    status, text = manage("origin_settings")
    expected = ["W001", "W002", "W003", "W004", "W005", "W006", "W008", "W009", "W010", "W012", "W014"]
    assert ids_in(text) == [f"tenure.{number}" for number in expected]
    # They are warnings: it goes on working, and is moved one step at a time.
    assert status == 0
    assert "shop.middleware.ByAHelper" in text
    assert "shop.accounts:" in text
    assert "origin_settings:6" in text


def test_a_key_that_is_made_at_each_start_is_found_in_the_module_that_makes_it() -> None:
    _, text = manage("derived_settings")
    assert "(tenure.W007)" in text
    assert "derived_settings:7" in text
    assert "(tenure.W008)" in text


def test_without_the_setting_it_is_an_error_and_the_command_fails() -> None:
    status, text = manage("nothing_settings")
    assert (status, ids_in(text)) == (1, ["tenure.E001"])


@pytest.mark.parametrize(
    ("setting", "id_"),
    [
        (None, "E001"),
        ({}, "E001"),
        ({"ISSUER": ""}, "E001"),
        ("https://id.example.com", "E001"),
        ({"ISSUER": "id.example.com"}, "E002"),
        ({"ISSUER": "ftp://id.example.com"}, "E002"),
        ({"ISSUER": "https://id.example.com/auth"}, "E002"),
        ({"ISSUER": "https://u:p@id.example.com"}, "E002"),
        ({"ISSUER": "https://id.example.com?a"}, "E002"),
        ({"ISSUER": "https://id.example.com:port"}, "E002"),
        ({"ISSUER": "https://"}, "E002"),
        ({"ISSUER": 7}, "E002"),
        ({"ISSUER": "https://a", "URL": "10.0.0.1:7700"}, "E002"),
        ({"ISSUER": "https://a", "FRESHNESS": "fresh"}, "E003"),
        ({"ISSUER": "https://a", "FOREIGN_TOKENS": True}, "E003"),
        ({"ISSUER": "https://a", "TIMEOUT": 0}, "E003"),
        ({"ISSUER": "https://a", "TIMEOUT": "2s"}, "E003"),
        ({"ISSUER": "https://a", "LEEWAY": True}, "E003"),
        ({"ISSUER": "https://a", "STRICT_CACHE": 3600}, "E003"),
        ({"ISSUER": "https://a", "CREATE_USERS": 1}, "E003"),
        ({"ISSUER": "https://a", "AUDIENCE": None}, "E003"),
        ({"ISSUER": "https://a", "FRESHNESS": "push"}, "E004"),
        ({"ISSUER": "https://a", "FRESHNES": "push"}, "E005"),
        ({"ISSUER": "https://a", "USER_FIELDS": "shop.people.nobody"}, "E006"),
        ({"ISSUER": "https://a", "USER_ID_FIELD": "sub"}, "E007"),
        ({"ISSUER": "https://a", "USER_ID_FIELD": "full_name"}, "E008"),
        ({"ISSUER": "http://id.example.com", "USER_ID_FIELD": "tenure_id"}, "W011"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings: Fixture, setting: object, id_: str) -> None:
    settings.TENURE = setting
    found = told()
    assert list(found) == [f"tenure.{id_}"]
    if id_[0] == "E" and id_ < "E007":
        with pytest.raises(ImproperlyConfigured, match=id_):
            options()


def test_a_wrong_secret_is_not_printed(settings: Fixture) -> None:
    settings.TENURE = {"ISSUER": "https://a", "API_KEY": 123456789}
    assert all("123456789" not in f"{one.msg} {one.hint}" for one in checks.run_checks(tags=["tenure"]))


def test_a_field_that_is_too_short_is_named(settings: Fixture) -> None:
    settings.AUTH_USER_MODEL = "shop.Loose"
    settings.TENURE = {"ISSUER": "https://a", "USER_ID_FIELD": "nickname"}
    assert set(told()) == {"tenure.E008", "tenure.E009"}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("ByItself", "shop.middleware:"),
        ("ByAnotherName", "shop.middleware:"),
        ("ByAnImportWithin", "shop.middleware:"),
        ("ByAHelper", "shop.accounts:"),
        ("ByTheSession", "shop.middleware:"),
        ("ByTheSessionsOtherName", "shop.middleware:"),
        ("Inherited", "shop.middleware:"),
        ("by_a_function", "shop.middleware:"),
    ],
)
def test_middleware_that_signs_out_is_named_with_the_line(settings: Fixture, name: str, where: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"shop.middleware.{name}"]
    found = told()
    assert list(found) == ["tenure.W001"]
    assert f"shop.middleware.{name} ends sessions" in found["tenure.W001"].msg
    assert where in found["tenure.W001"].msg
    line = int(found["tenure.W001"].msg.rstrip(".").rsplit(":", 1)[1])
    source = (FOLDER / where.replace(".", "/").replace(":", ".py")).read_text().splitlines()[line - 1]
    assert any(word in source for word in ("logout(", "sign_out(", "flush(", "clear("))


def test_middleware_that_signs_nobody_out_is_not_named(settings: Fixture) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "shop.middleware.Harmless", "shop.middleware.Plain"]
    assert told() == {}
    assert list(Search().of(middleware.Harmless)) == []
    # Without source there is nothing to say, and nothing to fail at.
    assert list(Search().of(dict)) == []


def test_djangos_own_middleware_that_signs_out_is_named(settings: Fixture) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.RemoteUserMiddleware"]
    assert list(told()) == ["tenure.W001"]


LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
FILES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/var/tmp/x"}}
REDIS = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}}
CACHE, DB = "django.contrib.sessions.backends.cache", "django.contrib.sessions.backends.db"
SESSIONS = ["rest_framework.authentication.SessionAuthentication"]
OURS = ["tenure_drf.authentication.TenureAuthentication"]
HANDLER = "tenure_drf.handler.exception_handler"


def framework(classes: list[str], handler: str = HANDLER) -> dict[str, object]:
    return {"DEFAULT_AUTHENTICATION_CLASSES": classes, "EXCEPTION_HANDLER": handler}


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, ["W003"]),
        ({"SESSION_COOKIE_SAMESITE": "None"}, ["W013"]),
        ({"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": True}, []),
        ({"SESSION_COOKIE_SECURE": True, "DEBUG": True}, ["W013"]),
        ({"SESSION_COOKIE_SECURE": True}, []),
        ({"SESSION_COOKIE_AGE": 1800}, ["W004"]),
        ({"SESSION_COOKIE_AGE": 86400}, []),
        ({"SESSION_EXPIRE_AT_BROWSER_CLOSE": True}, []),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.file"}, ["W005"]),
        ({"SESSION_ENGINE": CACHE, "CACHES": LOCMEM}, ["W005"]),
        ({"SESSION_ENGINE": CACHE, "CACHES": FILES}, ["W005"]),
        ({"SESSION_ENGINE": CACHE, "CACHES": REDIS}, []),
        ({"SESSION_ENGINE": DB, "CACHES": LOCMEM}, []),
        ({"REST_FRAMEWORK": framework([*OURS, *SESSIONS])}, ["W002", "W004"]),
        ({"REST_FRAMEWORK": framework([*OURS, *SESSIONS]), "SESSION_COOKIE_AGE": 20 * 86400}, ["W002"]),
        (
            {
                "REST_FRAMEWORK": framework([*OURS, *SESSIONS]),
                "SESSION_COOKIE_AGE": 20 * 86400,
                "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
            },
            ["W002", "W004"],
        ),
        ({"REST_FRAMEWORK": framework(["rest_framework.authentication.BasicAuthentication", *OURS])}, ["W010"]),
        ({"REST_FRAMEWORK": framework(OURS, "rest_framework.views.exception_handler")}, ["W009"]),
        ({"REST_FRAMEWORK": {}}, ["W002", "W004", "W009"]),
        ({"SIMPLE_JWT": {"REFRESH_TOKEN_LIFETIME": None, "SIGNING_KEY": "k"}}, []),
        ({"SIMPLE_JWT": {"SIGNING_KEY": "k"}}, ["W012"]),
    ],
)
def test_a_setting_that_signs_people_out_is_named_and_a_right_one_is_not(
    settings: Fixture, changed: dict[str, object], ids: list[str]
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert sorted(told()) == [f"tenure.{number}" for number in ids]


def test_with_deploy_the_issuer_is_asked_and_is_the_one(server: Tenure, configure: Configure) -> None:
    configure(server)
    assert told(deploy=True) == {}
    configure(server, FRESHNESS="push", API_KEY=api_key(server, user(server), "revocations.read"))
    assert told(deploy=True) == {}


@pytest.mark.parametrize("how", ["another name", "nobody there", "no tenure", "a key that does not stand", "no scope"])
def test_with_deploy_a_wrong_issuer_is_named(server: Tenure, configure: Configure, ada: Browser, how: str) -> None:
    from test_outage import impostor, says

    def found(make: Callable[[], object]) -> list[str]:
        make()
        return list(told(deploy=True))

    if how == "another name":
        assert found(lambda: configure(server, ISSUER="https://id.example.com", URL=server.url)) == ["tenure.E010"]
    elif how == "nobody there":
        assert found(lambda: configure(server, URL=f"http://127.0.0.1:{free_port()}")) == ["tenure.W015"]
    elif how == "no tenure":
        with impostor(says(200, "text/html", "<h1>Welcome</h1>")) as address:
            assert found(lambda: configure(server, URL=address)) == ["tenure.E010"]
    else:
        key = api_key(server, ada.email, "reports.read") if how == "no scope" else "tnk1_" + "A" * 40
        assert found(lambda: configure(server, FRESHNESS="push", API_KEY=key)) == ["tenure.E011"]
