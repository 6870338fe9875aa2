"""`manage.py check --tag tenure`: each setting that signs people out is named with its remedy, and no other one is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from backends import ROOT, Tenure, free_port
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


def manage(settings: str, *folders: str, **environment: str) -> tuple[int, str]:
    path = os.pathsep.join([*folders, *(str(FOLDER.parent / name) for name in ("src", "tests", "examples"))])
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
        ({"ISSUER": "https://id.example.com//auth"}, "E002"),
        ({"ISSUER": "https://id.example.com/auth?a"}, "E002"),
        ({"ISSUER": "https://id.example.com/auth#a"}, "E002"),
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


@pytest.mark.parametrize(
    "issuer", ["https://id.example.com/auth", "https://id.example.com/auth/", "http://[::1]:7700/a/b"]
)
def test_tenure_may_be_served_below_a_path(settings: Fixture, issuer: str) -> None:
    settings.TENURE = {"ISSUER": issuer, "USER_ID_FIELD": "tenure_id"}
    assert told() == {}
    assert options().address("/api") == f"{issuer.rstrip('/')}/api"


@pytest.mark.parametrize(
    ("lines", "id_"),
    [
        ('KEY = env("SECRET_KEY", "another")', "W008"),
        ('KEY = env.str("SECRET_KEY", "another")', "W008"),
        ('KEY = config("SECRET_KEY", default="another")', "W008"),
        ('KEY = os.environ.get(NAME, "another")', "W008"),
        ('KEY = os.environ.get("SECRET_KEY") or "another"', "W008"),
        ('KEY = os.environ["K"] if "K" in os.environ else "another"', "W008"),
        ('KEY = "another" if not os.getenv("K") else os.environ["K"]', "W008"),
        ('key = os.getenv("K")\nKEY = key if key else "another"', "W008"),
        ('try:\n    KEY = os.environ["K"]\nexcept KeyError:\n    KEY = "another"', "W008"),
        ('KEY = os.getenv("K")\nif not KEY:\n    KEY = "another"', "W008"),
        ('if "K" in os.environ:\n    KEY = os.environ["K"]\nelse:\n    KEY = "another"', "W008"),
        ("try:\n    KEY = open(FILE).read()\nexcept OSError:\n    KEY = get_random_secret_key()", "W007"),
        ('KEY = env("SECRET_KEY", default=get_random_secret_key())', "W007"),
        ('KEY = os.environ["SECRET_KEY"]', None),
        ('KEY = env("SECRET_KEY")', None),
        ('KEY = env("SECRET_KEY", None) or stop()', None),
        ('KEY = "the same everywhere"', None),
        ('KEY = os.environ["K"].replace("\\\\n", "n")', None),
        ('KEY = "for tests" if DEBUG else os.environ["K"]', None),
        ('if DEBUG and "K" not in os.environ:\n    KEY = "for tests"\nelse:\n    KEY = os.environ["K"]', None),
        ('try:\n    KEY = os.environ["K"]\nexcept KeyError:\n    raise RuntimeError("no key")', None),
    ],
)
def test_a_secret_key_that_may_be_another_one_is_named_with_the_line(
    settings: Fixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, id_: str | None
) -> None:
    module = f"settings_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(lines.replace("KEY =", "SECRET_KEY =").replace("not KEY", "not SECRET_KEY"))
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.SETTINGS_MODULE = module
    found = told()
    assert list(found) == ([f"tenure.{id_}"] if id_ else [])
    assert all(f"at {module}:" in one.msg for one in found.values())


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


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ByTheBlacklist", "BlacklistedToken.objects.get_or_create("),
        ("ByARowOfTheBlacklist", "BlacklistedToken(token="),
        ("ByTheTokenItself", "token.blacklist()"),
        ("ByDeletingTheKey", "Token.objects.filter("),
        ("ByDeletingARow", "key.delete()"),
        ("ByDeletingWhatBelongsToThem", "person.auth_token.delete()"),
        ("ByDeletingSessions", "Session.objects.filter("),
        ("ByTheCookie", "delete_cookie("),
        ("ByTheCookieOfAConstant", "delete_cookie("),
        ("ByTheCookieOfTheSettings", "delete_cookie("),
        ("ByTheCookieOfSimpleJwt", "set_cookie("),
        ("by_a_helper", "Token.objects.filter("),
    ],
)
def test_middleware_that_takes_tokens_or_cookies_away_is_named_with_the_line(
    settings: Fixture, name: str, line: str
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"shop.token_middleware.{name}"]
    found = told()
    assert list(found) == ["tenure.W001"]
    number = int(re.findall(r"at shop\.token_middleware:(\d+)\.$", found["tenure.W001"].msg)[0])
    assert line in (FOLDER / "shop/token_middleware.py").read_text().splitlines()[number - 1]


def test_the_sample_app_is_named_also_if_it_only_blacklists(tmp_path: Path) -> None:
    app = tmp_path / "backend"
    shutil.copytree(ROOT / "examples/django-react/backend", app)
    code = app / "tickets/middleware.py"
    lines = code.read_text().splitlines(keepends=True)
    code.write_text("".join(line for line in lines if "logout(request)" not in line))
    _, text = manage("desk.settings.step1", str(app), SECRET_KEY="k", SITE_URL="http://127.0.0.1")
    assert "tickets.middleware.AccountMiddleware ends sessions" in text


def test_middleware_that_signs_nobody_out_is_not_named(settings: Fixture) -> None:
    names = ("middleware.Harmless", "middleware.Plain", "token_middleware.Harmless", "token_middleware.Sessions")
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *(f"shop.{name}" for name in names)]
    assert told() == {}
    assert list(Search(tokens=True).of(middleware.Harmless)) == []
    # A class that tells who is asking may end what has expired.
    settings.REST_FRAMEWORK = framework([*OURS, "shop.token_middleware.Expiring"])
    assert told() == {}
    # Without source there is nothing to say, and nothing to fail at.
    assert list(Search().of(dict)) == []


def test_djangos_own_middleware_that_signs_out_is_named(settings: Fixture) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.RemoteUserMiddleware"]
    assert list(told()) == ["tenure.W001"]


LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
FILES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/var/tmp/x"}}
REDIS = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}}
MEMCACHED = {"default": {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "127.0.0.1:9"}}
CACHE, DB = "django.contrib.sessions.backends.cache", "django.contrib.sessions.backends.db"
SESSIONS = ["rest_framework.authentication.SessionAuthentication"]
TOKENS = ["rest_framework_simplejwt.authentication.JWTAuthentication"]
WITH_KEY = {"ISSUER": "https://id.example.com", "USER_ID_FIELD": "tenure_id", "API_KEY": "tnk1_x"}
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
        ({"SESSION_ENGINE": CACHE, "CACHES": MEMCACHED}, ["W005"]),
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
        ({"SIMPLE_JWT": {}}, ["W012", "W014"]),
        ({"SIMPLE_JWT": {"ALGORITHM": "RS256", "VERIFYING_KEY": "k"}}, ["W012"]),
        # Of a day, with SECRET_KEY: so simplejwt is where it is told nothing.
        ({"REST_FRAMEWORK": framework([*OURS, *TOKENS])}, ["W012", "W014"]),
        ({"ROOT_URLCONF": "token_urls"}, ["W012", "W014"]),
        ({"ROOT_URLCONF": "mixed_urls"}, ["W002", "W004", "W010", "W012", "W014"]),
        # Where tickets are given out the sign-ins of before are what is wanted.
        ({"ROOT_URLCONF": "ticket_urls", "TENURE": WITH_KEY}, []),
    ],
)
def test_a_setting_that_signs_people_out_is_named_and_a_right_one_is_not(
    settings: Fixture, changed: dict[str, object], ids: list[str]
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert sorted(told()) == [f"tenure.{number}" for number in ids]


def test_views_with_authentication_of_their_own_are_named(settings: Fixture) -> None:
    settings.ROOT_URLCONF = "mixed_urls"
    found = told()
    named = "in shop.views.SessionsFirst, shop.views.SessionsAlone, shop.views.Served:"
    assert named in found["tenure.W002"].msg
    assert (
        "SessionAuthentication comes before TenureAuthentication in shop.views.SessionsFirst"
        in found["tenure.W010"].msg
    )


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
