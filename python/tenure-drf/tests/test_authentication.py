"""Who is let in, and as whom, with a real Tenure and each freshness."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core import checks

from backends import Tenure, Testbed, wait_for
from conftest import PASSWORD, Asked, Browser, Configure, api_key, call, listen, problem, start, user
from shop.models import Person, Plain
from tenure_drf import tenure as module

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("freshness", ["strict", "push", "stateless"])
def test_whoever_is_signed_in_is_known_by_each_freshness(
    older_server: Testbed, configure: Configure, freshness: str, asked: Asked
) -> None:
    if freshness == "push":
        listen(configure, older_server)
    else:
        configure(older_server, FRESHNESS=freshness)
    ada = Browser(older_server, user(older_server))
    answer = call("/me", ada).json()
    assert (answer["user"], answer["session"], answer["role"]) == (ada.user, ada.session, "user")
    assert answer["name"] == ada.email
    person = Person.objects.get(tenure_id=ada.user)
    assert (person.email, person.full_name) == (ada.email, "user without a plan")
    assert not person.has_usable_password()
    # The first request made the row, for which the issuer is asked whatever the freshness.
    asked.clear()
    for _ in range(5):
        assert call("/me", ada).status_code == 200
    assert asked.count("/api/v1/auth/check") == (5 if freshness == "strict" else 0)


def test_without_a_credential_nobody_is_signed_in_and_nobody_is_asked(here: module.Tenure, asked: Asked) -> None:
    problem(call("/me"), 401, "access_token_missing")
    assert call("/me")["WWW-Authenticate"] == "Bearer"
    problem(call("/me", authorization="Basic YTpi"), 401, "access_token_missing")
    assert asked == []


def test_a_signed_out_session_is_refused_at_once_when_each_request_asks(here: module.Tenure, ada: Browser) -> None:
    assert call("/me", ada).status_code == 200
    ada.sign_out()
    told = problem(call("/me", ada), 401, "access_token_revoked")
    assert call("/me", ada)["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert told["type"].startswith(here.options.issuer)


def test_a_signed_out_session_is_refused_without_a_question_when_ends_are_told(
    older_server: Testbed, configure: Configure, asked: Asked
) -> None:
    listen(configure, older_server)
    ada = Browser(older_server, user(older_server))
    assert call("/me", ada).status_code == 200
    asked.clear()
    ada.sign_out()
    # A fraction of a second on a machine that is not busy, and by no means the longest silence.
    wait_for(lambda: call("/me", ada).status_code == 401, "the end to be told", patience=5.0)
    problem(call("/me", ada), 401, "access_token_revoked")
    assert "/api/v1/auth/check" not in asked


def test_a_disabled_and_a_deleted_user_are_refused_when_ends_are_told(server: Tenure, configure: Configure) -> None:
    listen(configure, server)
    for verb in ("disable", "delete"):
        eve = Browser(server, user(server))
        assert call("/me", eve).status_code == 200
        server.run("user", verb, eve.email, "--reason", "t")
        wait_for(lambda eve=eve: call("/me", eve).status_code == 401, verb, patience=5.0)


def test_a_role_that_changed_is_told_and_the_token_goes_on(server: Tenure, configure: Configure, ada: Browser) -> None:
    listen(configure, server)
    assert call("/me", ada).json()["role"] == "user"
    server.run("user", "set", ada.email, "--role", "admin", "--reason", "t")
    wait_for(lambda: call("/me", ada).json()["role"] == "admin", "the role to be told", patience=5.0)


def test_stateless_lets_an_ended_session_in_until_its_token_expires_as_its_page_says(
    server: Tenure, configure: Configure, ada: Browser
) -> None:
    configure(server, FRESHNESS="stateless")
    assert call("/me", ada).status_code == 200
    ada.sign_out()
    assert call("/me", ada).status_code == 200


def test_tokens_from_before_the_feed_began_are_asked_for(
    own_server: Tenure, configure: Configure, asked: Asked
) -> None:
    bob = Browser(own_server, user(own_server))
    # The feed knows what happened since its node began, and of older tokens it cannot tell.
    own_server.kill()
    own_server.start()
    listen(configure, own_server)
    call("/me", bob)
    asked.clear()
    assert call("/me", bob).status_code == 200
    assert asked == ["/api/v1/auth/check"]


def test_a_refreshed_token_is_let_in_and_the_one_before_it_still_is(here: module.Tenure, ada: Browser) -> None:
    before = ada.token
    assert ada.refresh() == 200
    assert ada.token != before
    assert call("/me", ada).status_code == 200
    assert call("/me", before).status_code == 200


def test_an_answer_is_kept_for_as_long_as_the_setting_says_and_by_default_not_at_all(
    server: Tenure, configure: Configure, ada: Browser, asked: Asked
) -> None:
    configure(server, STRICT_CACHE=300.0)
    for _ in range(5):
        assert call("/me", ada).status_code == 200
    assert asked == ["/api/v1/auth/check"]
    configure(server, STRICT_CACHE=0.5)
    assert call("/me", ada).status_code == 200
    ada.sign_out()
    wait_for(lambda: call("/me", ada).status_code == 401, "the answer to be forgotten", patience=5.0)


def test_a_row_that_is_not_active_is_403_since_the_session_stands(here: module.Tenure, ada: Browser) -> None:
    call("/me", ada)
    Person.objects.filter(tenure_id=ada.user).update(is_active=False)
    problem(call("/me", ada), 403, "permission_denied")
    Person.objects.filter(tenure_id=ada.user).update(is_active=True)
    assert call("/me", ada).status_code == 200
    assert ada.refresh() == 200


def test_who_has_no_row_is_403_where_none_are_made(server: Tenure, configure: Configure, ada: Browser) -> None:
    configure(server, CREATE_USERS=False)
    assert "not known" in problem(call("/me", ada), 403, "permission_denied")["detail"]
    assert Person.objects.count() == 0
    Person.objects.create(tenure_id=ada.user, email="other@example.com", full_name="linked by hand")
    assert call("/me", ada).json()["name"] == "other@example.com"


def test_a_row_with_the_same_email_is_nobodys_to_take(here: module.Tenure, ada: Browser) -> None:
    Person.objects.create(email=ada.email, full_name="was there before")
    problem(call("/me", ada), 403, "permission_denied")
    assert Person.objects.get(email=ada.email).tenure_id is None


def test_djangos_usual_user_model_needs_no_setting_but_the_issuer(
    server: Tenure, configure: Configure, settings: object, ada: Browser
) -> None:
    settings.AUTH_USER_MODEL = "shop.Plain"  # type: ignore[attr-defined]
    assert get_user_model() is Plain
    configure(server, USER_ID_FIELD="username", USER_FIELDS="")
    assert call("/me", ada).json()["name"] == ada.user
    row = Plain.objects.get()
    assert (row.username, row.email, row.is_staff, row.is_superuser) == (ada.user, ada.email, False, False)
    assert not row.check_password(PASSWORD)


def test_nobody_is_made_a_row_whose_session_has_ended(server: Tenure, configure: Configure, ada: Browser) -> None:
    configure(server, FRESHNESS="stateless")
    ada.sign_out()
    problem(call("/me", ada), 401, "access_token_revoked")
    assert Person.objects.count() == 0


def test_api_keys_are_programs_with_scopes_and_no_row(here: module.Tenure, server: Tenure, ada: Browser) -> None:
    key = api_key(server, ada.email, "reports.read reports.write")
    for answer in (call("/me", key), call("/me", **{"x-api-key": key})):
        told = answer.json()
        assert (told["user"], told["pk"], told["scopes"]) == (None, None, ["reports.read", "reports.write"])
        assert told["name"] == told["key"]
    assert Person.objects.count() == 0
    assert call("/requires/reports", key).status_code == 200
    listed = server.run("api-key", "list", ada.email, "--json")
    assert told["key"] in listed
    server.run("api-key", "revoke", told["key"], "--reason", "t")
    problem(call("/me", key), 401, "access_token_revoked")


def test_api_keys_are_refused_where_they_are_not_accepted(
    server: Tenure, configure: Configure, ada: Browser, asked: Asked
) -> None:
    key = api_key(server, ada.email, "reports.read")
    configure(server, ACCEPT_API_KEYS=False)
    problem(call("/me", key), 401, "wrong_token_type")
    problem(call("/me", **{"x-api-key": key}), 401, "access_token_missing")
    configure(server, FRESHNESS="stateless")
    problem(call("/me", key), 401, "wrong_token_type")
    assert asked == []


@pytest.mark.urls("mixed_urls")
def test_a_session_of_the_admin_does_not_make_401_a_403(here: module.Tenure, ada: Browser) -> None:
    problem(call("/sessions-first"), 401, "access_token_missing")
    assert call("/sessions-first", ada).status_code == 200


@pytest.mark.urls("mixed_urls")
def test_tokens_of_simplejwt_are_let_in_beside_ours_while_people_move(
    server: Tenure, configure: Configure, ada: Browser
) -> None:
    from rest_framework_simplejwt.tokens import AccessToken

    old = Person.objects.create(email="old@example.com", full_name="has not moved yet")
    legacy = str(AccessToken.for_user(old))
    configure(server, FOREIGN_TOKENS="pass")
    assert call("/both-kinds", legacy).json() == {"name": "old@example.com"}
    assert call("/both-kinds", ada).json() == {"name": ada.email}
    # A token of ours that does not stand is not offered to the other class.
    ada.sign_out()
    problem(call("/both-kinds", ada), 401, "access_token_revoked")
    problem(call("/me", legacy), 401, "access_token_missing")
    configure(server)
    problem(call("/both-kinds", legacy), 401, "access_token_invalid")


def test_a_limit_of_the_issuers_is_429_with_its_time(own_server: Tenure, configure: Configure) -> None:
    own_server.kill()
    own_server.settings["TENURE_LIMITS__API_PER_CALLER_PER_MINUTE"] = "3"
    own_server.start()
    configure(own_server)
    bob = Browser(own_server, user(own_server))
    answers = [call("/me", bob) for _ in range(6)]
    assert answers[0].status_code == 200
    told = problem(answers[-1], 429, "rate_limited")
    assert int(answers[-1]["Retry-After"]) >= 1
    assert told["class"] == "transport"


@pytest.mark.parametrize("freshness", ["strict", "push", "stateless"])
def test_a_tenure_below_a_path_is_known_by_its_whole_address(configure: Configure, freshness: str) -> None:
    # As a proxy serves it that takes the path off; from here it is reached without that.
    issuer = "http://127.0.0.1:7700/tenure"
    one = start(SERVER__PUBLIC_URL=issuer)
    try:
        key = api_key(one, user(one), "revocations.read")
        ada = Browser(one, user(one))
        here = configure(one, ISSUER=issuer, URL=one.url, FRESHNESS=freshness, API_KEY=key)
        if here.feed is not None:
            wait_for(here.feed.is_live, "the feed to be live")
        assert call("/me", ada).status_code == 200
        assert checks.run_checks(tags=["tenure"], include_deployment_checks=True) == []
    finally:
        module.forget()
        one.end()
