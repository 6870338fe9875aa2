"""What a view requires of its caller besides that they are somebody. The issuer decides, by their account and role.

A refusal is 402 or 403 and never 401. They can be combined: ``HasPlan("pro") | IsAdminUser``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .auth import TenureAuth
from .problems import Problem

#: Where a refusal waits on a request until it is known whether another permission lets it pass.
REFUSAL = "_tenure_refusal"


class TenurePermission(BasePermission):
    """One requirement, as ``auth/check`` takes it."""

    require: ClassVar[str] = ""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        problem = self.refusal(request)
        if problem is None:
            return True
        # For DRF, which raises what it finds here, unless this stands within `|` or `&`; and then for the handler.
        self.message, self.code = problem.detail, problem.code
        setattr(request, REFUSAL, problem)
        return False

    def refusal(self, request: Request) -> Problem | None:
        if isinstance(request.auth, TenureAuth):
            return request.auth.refusal(self.require) if self.require else None
        # Somebody whom another class let in, of whose account nobody here knows.
        return Problem("account_missing", "You are not signed in by Tenure.", issuer="")


class IsAuthenticatedAndActive(BasePermission):
    """Somebody is signed in, and their row is active. Those whom Tenure lets in are refused before, if it is not."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        return bool(user and user.is_authenticated and getattr(user, "is_active", True))


class HasTenantAccess(TenurePermission):
    """They belong to an account that is served: else 403 ``account_missing``, ``..._suspended``, ``..._cancelled``."""

    require = "active_account"


def Requires(*needs: str) -> type[TenurePermission]:  # noqa: N802
    """All of these at once, in one question: ``Requires("plan:pro", "limit:seats=6")``."""
    for need in needs:
        if not need or "," in need:
            raise ValueError(f"`{need}` is no single requirement")
    return type("Requires", (TenurePermission,), {"require": ",".join(needs)})


def HasPlan(*plans: str) -> type[TenurePermission]:  # noqa: N802
    """An active plan, one of these if any is named: else 402 ``plan_missing`` or ``plan_inactive``."""
    return Requires(f"plan:{'|'.join(plans)}" if plans else "plan")


def HasFeature(feature: str) -> type[TenurePermission]:  # noqa: N802
    """A plan that includes it: else 402."""
    return Requires(f"feature:{feature}")


def HasPermission(permission: str) -> type[TenurePermission]:  # noqa: N802
    """A role that has it, or an API key with that scope: else 403 ``permission_denied``."""
    return Requires(f"permission:{permission}")
