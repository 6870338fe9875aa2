"""What a view requires of its caller besides that they are somebody. The issuer decides, by their account and role.

A refusal is 402 or 403 and never 401. They can be combined: ``HasPlan("pro") | IsAdminUser``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.permissions import AND, OR, BasePermission
from rest_framework.request import Request

from .auth import TenureAuth, requirement
from .problems import Problem


class TenurePermission(BasePermission):
    """One requirement, as ``auth/check`` takes it."""

    require: ClassVar[str] = ""
    #: Why it said no.
    problem: Problem | None = None

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        self.problem = self._refusal(request)
        if self.problem is None:
            return True
        # What DRF says where the handler is not ours; the status is then 403.
        self.message = self.problem.detail
        return False

    def _refusal(self, request: Request) -> Problem | None:
        if isinstance(request.auth, TenureAuth):
            return request.auth.refusal(self.require) if self.require else None
        # Somebody whom another class let in, of whose account nobody here knows.
        return Problem("account_missing", "You are not signed in by Tenure.", issuer="")


def why_not(permission: Any, request: Request, view: Any) -> Problem | None:
    """Why a permission said no that may be made of others; none if it was no affair of Tenure's."""
    if isinstance(permission, TenurePermission):
        return permission.problem
    if isinstance(permission, OR):
        first, second = _parts(permission)
        return why_not(first, request, view) or why_not(second, request, view)
    if isinstance(permission, AND):
        first, second = _parts(permission)
        # What was asked for the request is known, so to ask a second time costs nothing.
        return why_not(second if first.has_permission(request, view) else first, request, view)
    return None


def _parts(permission: Any) -> tuple[Any, Any]:
    return permission.op1, permission.op2


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
    return type("Requires", (TenurePermission,), {"require": requirement(*needs)})


def HasPlan(*plans: str) -> type[TenurePermission]:  # noqa: N802
    """An active plan, one of these if any is named: else 402 ``plan_missing`` or ``plan_inactive``."""
    return Requires(f"plan:{'|'.join(plans)}" if plans else "plan")


def HasFeature(feature: str) -> type[TenurePermission]:  # noqa: N802
    """A plan that includes it: else 402."""
    return Requires(f"feature:{feature}")


def HasPermission(permission: str) -> type[TenurePermission]:  # noqa: N802
    """A role that has it, or an API key with that scope: else 403 ``permission_denied``."""
    return Requires(f"permission:{permission}")
