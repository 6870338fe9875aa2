from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenure_drf.permissions import HasPermission, HasTenantAccess, IsAuthenticatedAndActive

from .models import Report
from .tasks import write


class IsPerson(BasePermission):
    """Rows belong to people; a program works on those that there are."""

    def has_permission(self, request: Request, view: object) -> bool:
        return request.auth is not None and request.auth.user is not None


class IsProgram(BasePermission):
    def has_permission(self, request: Request, view: object) -> bool:
        return request.auth is not None and request.auth.key is not None


class Reports(APIView):
    permission_classes = [IsAuthenticatedAndActive, IsPerson, HasTenantAccess]

    def post(self, request: Request) -> Response:
        report = Report.objects.create(owner=request.user, account=request.auth.account)
        # Not before it is there for the worker to be found.
        transaction.on_commit(lambda: write.delay(report.pk))
        return Response({"id": report.pk}, status=status.HTTP_202_ACCEPTED)


class OneReport(APIView):
    permission_classes = [IsAuthenticatedAndActive, IsPerson]

    def get(self, request: Request, number: int) -> Response:
        report = get_object_or_404(Report, pk=number, owner=request.user)
        return Response({"state": report.state, "text": report.text, "note": report.note})


class Result(APIView):
    """For the worker: a key of the same account, which may write reports."""

    permission_classes = [IsAuthenticatedAndActive, IsProgram, HasTenantAccess & HasPermission("reports.write")]

    def put(self, request: Request, number: int) -> Response:
        with transaction.atomic():
            waiting = Report.objects.select_for_update().filter(state=Report.State.QUEUED)
            report = get_object_or_404(waiting, pk=number, account=request.auth.account)
            report.state, report.text, report.note = Report.State.WRITTEN, request.data["text"], request.auth.key
            report.save()
        return Response(status=status.HTTP_204_NO_CONTENT)
