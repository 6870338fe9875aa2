from typing import Any

from django.db import transaction
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication

from tenure_drf.auth import auth_of
from tenure_drf.authentication import TenureAuthentication
from tenure_drf.permissions import (
    HasFeature,
    HasPermission,
    HasPlan,
    HasTenantAccess,
    IsAuthenticatedAndActive,
    Requires,
)

from .models import Person


class Me(APIView):
    """Who is calling, by nothing but what DRF brings."""

    def get(self, request: Request) -> Response:
        auth = auth_of(request)
        told = {"user": auth.user, "session": auth.session, "role": auth.role, "key": auth.key}
        return Response({"name": str(request.user), "pk": request.user.pk, "scopes": sorted(auth.scopes), **told})


class Account(APIView):
    permission_classes = [IsAuthenticatedAndActive, HasTenantAccess]

    def get(self, request: Request) -> Response:
        auth = auth_of(request)
        may = "reports.read" in auth.permissions
        return Response({"account": auth.account, "plan": auth.plan, "email": auth.email, "may": may})


class IsStaff(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(getattr(request.user, "is_staff", False))


class Served(APIView):
    """What it requires stands in the address; see `site_urls`."""

    def get(self, request: Request) -> Response:
        return Response({"served": True})


class Seats(APIView):
    def get(self, request: Request) -> Response:
        auth_of(request).require(f"limit:seats={request.query_params['seats']}")
        return Response({"served": True})


class Denies(APIView):
    """Lets everybody past the permissions, and then says no for a reason of its own."""

    permission_classes = [IsAuthenticated, HasPlan("pro") | AllowAny]

    def get(self, request: Request) -> Response:
        raise PermissionDenied


class Fails(APIView):
    def get(self, request: Request, how: str) -> Response:
        if how == "validation":
            raise ValidationError({"seats": ["too many"]})
        raise NotFound


class Once(AnonRateThrottle):
    rate = "1/hour"


class Throttled(APIView):
    authentication_classes: list[type[BaseAuthentication]] = []
    permission_classes: list[type[BasePermission]] = []
    throttle_classes = [Once]

    def get(self, request: Request) -> Response:
        return Response({})


class SessionsFirst(Me):
    authentication_classes = [SessionAuthentication, TenureAuthentication]


class SessionsAlone(APIView):
    authentication_classes = [SessionAuthentication]
    permission_classes = [HasTenantAccess]

    def get(self, request: Request) -> Response:
        return Response({})


class BothKinds(APIView):
    """Moving from simplejwt: both kinds of tokens are let in."""

    authentication_classes = [TenureAuthentication, JWTAuthentication]

    def get(self, request: Request) -> Response:
        return Response({"name": str(request.user)})


class CookieAuthentication(JWTAuthentication):
    """As some have it who keep simplejwt's token in a cookie."""

    def authenticate(self, request: Request) -> Any:
        token = self.get_validated_token(request.COOKIES["access"].encode())
        return self.get_user(token), token


class UncheckedAuthentication(SessionAuthentication):
    """As some have it who were in the way of their own CSRF check."""

    def enforce_csrf(self, request: Request) -> None:
        return None


class Writes(APIView):
    """What it wrote is taken back when it is refused."""

    def post(self, request: Request) -> Response:
        with transaction.atomic():
            Person.objects.create(email="written@example.com", full_name="written")
            auth_of(request).require("plan:gold")
        return Response({})


REQUIRING = {
    "plan": [IsAuthenticated, HasPlan()],
    "pro": [HasPlan("pro")],
    "pro-or-team": [HasPlan("pro", "team")],
    "pro-or-staff": [HasPlan("pro") | IsStaff],
    "pro-and-reports": [HasPlan("pro") & HasPermission("reports.read")],
    "not-staff": [HasPlan("pro") | IsAuthenticated, IsStaff],
    "not-staff-either": [(HasPlan("pro") | IsAuthenticated) & IsStaff],
    "not-pro": [IsAuthenticated & ~HasPlan("pro")],
    "reports": [HasPermission("reports.read")],
    "export": [HasFeature("export")],
    "all": [Requires("active_account", "plan:pro", "permission:reports.read")],
}
