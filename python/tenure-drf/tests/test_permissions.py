"""What is required is decided by a real Tenure, and refused with 402 and 403 and never with 401."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import exception_handler as usual_handler

from backends import ROOT, Tenure
from conftest import Asked, Browser, Configure, api_key, call, problem, user
from shop.models import Person
from shop.views import Served
from tenure_drf import tenure as module
from tenure_drf.auth import auth_of
from tenure_drf.permissions import HasFeature, HasPermission, HasPlan, Requires
from tenure_drf.problems import CODES

pytestmark = pytest.mark.django_db


def set_account(server: Tenure, email: str, *told: str) -> None:
    server.run("account", "set", email, *told, "--reason", "t")


def test_a_plan_that_was_bought_is_served_by_the_very_next_request(
    here: module.Tenure, server: Tenure, ada: Browser
) -> None:
    for path in ("plan", "pro", "pro-or-team", "all"):
        status = 403 if path == "all" else 402
        problem(call(f"/requires/{path}", ada), status, "permission_denied" if status == 403 else "plan_missing")
    set_account(server, ada.email, "--plan", "team")
    assert call("/requires/plan", ada).status_code == 200
    assert call("/requires/pro-or-team", ada).status_code == 200
    told = problem(call("/requires/pro", ada), 402, "plan_missing")
    assert told["class"] == "authorization"
    set_account(server, ada.email, "--plan", "pro")
    assert call("/requires/pro", ada).status_code == 200
    assert call("/requires/export", ada).status_code == 200
    server.run("plan", "save", "pro", "--active", "false", "--reason", "t")
    problem(call("/requires/pro", ada), 402, "plan_inactive")
    server.run("plan", "save", "pro", "--active", "true", "--reason", "t")
    assert call("/requires/pro", ada).status_code == 200
    assert ada.refresh() == 200


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        ("trial", 200, ""),
        ("active", 200, ""),
        ("pending_payment", 200, ""),
        ("suspended", 403, "account_suspended"),
        ("cancelled", 403, "account_cancelled"),
    ],
)
def test_an_account_is_served_by_its_status_and_nobody_is_signed_out(
    here: module.Tenure, server: Tenure, ada: Browser, status: str, expected: int, code: str
) -> None:
    set_account(server, ada.email, "--status", status)
    answer = call("/account", ada)
    if code:
        problem(answer, expected, code)
    else:
        assert answer.json()["email"] == ada.email
        assert answer.json()["account"].startswith("acc_")
    # Where nothing is required of the account they are who they are, and their session stands.
    assert call("/me", ada).status_code == 200
    assert ada.refresh() == 200


def test_permissions_go_by_the_role_of_now_and_not_by_that_of_the_token(
    here: module.Tenure, server: Tenure, ada: Browser
) -> None:
    assert call("/account", ada).json()["may"] is False
    problem(call("/requires/reports", ada), 403, "permission_denied")
    server.run("user", "set", ada.email, "--role", "admin", "--reason", "t")
    assert call("/requires/reports", ada).status_code == 200
    assert call("/account", ada).json()["may"] is True


def test_permissions_can_be_combined_with_each_other_and_with_those_of_a_project(
    here: module.Tenure, server: Tenure, ada: Browser
) -> None:
    problem(call("/requires/pro-or-staff", ada), 402, "plan_missing")
    problem(call("/requires/pro-and-reports", ada), 402, "plan_missing")
    assert call("/requires/not-pro", ada).status_code == 200
    # What let them pass is not what stands in the way.
    for path in ("not-staff", "not-staff-either"):
        assert "plan" not in problem(call(f"/requires/{path}", ada), 403, "permission_denied")["detail"]
    Person.objects.filter(tenure_id=ada.user).update(is_staff=True)
    assert call("/requires/pro-or-staff", ada).status_code == 200
    set_account(server, ada.email, "--plan", "pro")
    problem(call("/requires/pro-and-reports", ada), 403, "permission_denied")
    problem(call("/requires/not-pro", ada), 403, "permission_denied")
    for path in ("/requires/pro", "/requires/pro-or-staff", "/requires/not-pro", "/requires/reports"):
        problem(call(path), 401, "access_token_missing")


def test_a_view_that_denies_for_a_reason_of_its_own_is_not_taken_for_the_plan(
    here: module.Tenure, ada: Browser
) -> None:
    told = problem(call("/denies", ada), 403, "permission_denied")
    assert "plan" not in told["detail"]


def test_what_is_found_out_late_is_required_by_the_view(here: module.Tenure, server: Tenure, ada: Browser) -> None:
    set_account(server, ada.email, "--plan", "pro")
    assert call("/seats?seats=5", ada).status_code == 200
    problem(call("/seats?seats=6", ada), 402, "limit_reached")
    # A mistake of the code's is no outage.
    with pytest.raises(ValueError, match="is none of"):
        call("/seats?seats=many", ada)


def test_a_requirement_is_asked_once_for_a_request(
    here: module.Tenure, server: Tenure, ada: Browser, asked: Asked
) -> None:
    set_account(server, ada.email, "--plan", "pro")
    assert call("/requires/pro-or-staff", ada).status_code == 200
    assert asked == ["/api/v1/auth/check", "/api/v1/auth/check?require=plan:pro"]
    asked.clear()
    # Two requirements, and one question more for who it is; account, plan and e-mail came along.
    assert call("/account", ada).status_code == 200
    assert len(asked) == 3


def test_what_is_required_is_asked_for_also_where_ends_are_told_or_nobody_is_asked(
    server: Tenure, configure: Configure, ada: Browser
) -> None:
    configure(server, FRESHNESS="stateless")
    problem(call("/requires/pro", ada), 402, "plan_missing")
    assert call("/account", ada).json()["email"] == ada.email
    ada.sign_out()
    problem(call("/requires/pro", ada), 401, "access_token_revoked")


def test_a_key_has_its_scopes_and_the_plan_of_its_account(here: module.Tenure, server: Tenure, ada: Browser) -> None:
    key = api_key(server, ada.email, "reports.read")
    set_account(server, ada.email, "--plan", "pro")
    assert call("/requires/all", key).status_code == 200
    set_account(server, ada.email, "--status", "suspended")
    problem(call("/requires/all", key), 403, "account_suspended")
    bare = api_key(server, user(server), "")
    problem(call("/requires/reports", bare), 403, "permission_denied")


@pytest.mark.urls("mixed_urls")
def test_somebody_of_another_authority_is_refused_and_not_asked_about(here: module.Tenure, asked: Asked) -> None:
    client = APIClient()
    client.force_login(Person.objects.create(email="staff@example.com", full_name="s", is_staff=True))
    answer = client.get("/sessions-alone")
    problem(answer, 403, "account_missing")
    assert asked == []
    request = Request(APIRequestFactory().get("/"))
    with pytest.raises(TypeError, match="another authentication class"):
        auth_of(request)


def test_what_is_no_requirement_is_refused_when_it_is_written() -> None:
    assert HasPlan("pro", "team").require == "plan:pro|team"
    assert HasPlan().require == "plan"
    assert HasFeature("export").require == "feature:export"
    assert HasPermission("a.b").require == "permission:a.b"
    assert Requires("active_account", "limit:seats=6").require == "active_account,limit:seats=6"
    for odd in (
        "",
        "plan:",
        "plan:Pro",
        "plan:pro,active_account",
        "plan:pro|",
        "limit:seats",
        "limit:seats=-1",
        "role:x",
    ):
        with pytest.raises(ValueError, match="is none of"):
            Requires(odd)


def test_the_handler_leaves_alone_what_is_not_about_who_calls(here: module.Tenure, ada: Browser) -> None:
    invalid = call("/fails/validation", ada)
    assert (invalid.status_code, invalid.json()) == (400, {"seats": ["too many"]})
    assert invalid["Content-Type"] == "application/json"
    assert call("/fails/not-found", ada).status_code == 404


def test_a_throttle_of_the_projects_own_is_429_with_its_time(here: module.Tenure) -> None:
    assert call("/throttled").status_code == 200
    answer = call("/throttled")
    told = problem(answer, 429, "rate_limited")
    assert told["retry_after"] == int(answer["Retry-After"]) > 3000


def test_a_page_for_people_stays_a_page(here: module.Tenure, ada: Browser) -> None:
    answer = call("/requires/pro", ada, accept="text/html")
    assert answer.status_code == 402
    assert answer["Content-Type"].startswith("text/html")
    assert "plan_missing" in answer.content.decode()


class Bare(Served):
    """As of a project that has not set the handler."""

    permission_classes = [HasPlan("pro")]

    def get_exception_handler(self) -> Callable[..., Any]:
        return usual_handler


def test_without_the_handler_the_status_of_a_token_is_the_same(here: module.Tenure, ada: Browser) -> None:
    view, factory = Bare.as_view(), APIRequestFactory()
    assert view(factory.get("/")).status_code == 401
    # For want of a status in DRF's own refusals; the check tenure.W009 tells.
    assert view(factory.get("/", headers={"authorization": f"Bearer {ada.token}"})).status_code == 403
    ada.sign_out()
    answer = view(factory.get("/", headers={"authorization": f"Bearer {ada.token}"}))
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


@pytest.mark.django_db(transaction=True)
def test_what_was_written_before_a_refusal_is_taken_back(here: module.Tenure, ada: Browser) -> None:
    answer = APIClient().post("/writes", headers={"authorization": f"Bearer {ada.token}"})
    problem(answer, 402, "plan_missing")
    assert not Person.objects.filter(email="written@example.com").exists()


def test_the_codes_that_are_said_here_are_tenures_and_none_ends_a_session() -> None:
    table = Path(ROOT, "api/errors.md").read_text().split("# End reasons")[0]
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:6]] for line in table.splitlines() if line.startswith("| `")
    ]
    theirs = {row[0]: row[1:] for row in rows}
    for code, (status, kind, title) in CODES.items():
        assert theirs[code] == [str(status), kind, "no", title]
