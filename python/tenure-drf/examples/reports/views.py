from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenure_drf.auth import auth_of
from tenure_drf.permissions import HasPermission, HasTenantAccess, IsAuthenticatedAndActive

from .models import Report
from .tasks import write


class IsPerson(BasePermission):
    """Rows belong to people; a program works on those that there are."""

    def has_permission(self, request: Request, view: object) -> bool:
        return auth_of(request).user is not None


class IsProgram(BasePermission):
    def has_permission(self, request: Request, view: object) -> bool:
        return auth_of(request).key is not None


class Reports(APIView):
    permission_classes = [IsAuthenticatedAndActive, IsPerson, HasTenantAccess]

    def post(self, request: Request) -> Response:
        report = Report.objects.create(owner=request.user, account=auth_of(request).account)
        # Not before it is there for the worker to be found.
        transaction.on_commit(lambda: write.delay(report.pk))
        return Response({"id": report.pk}, status=status.HTTP_202_ACCEPTED)


class OneReport(APIView):
    permission_classes = [IsAuthenticatedAndActive, IsPerson]

    def get(self, request: Request, number: int) -> Response:
        report = get_object_or_404(Report, pk=number, owner=request.user)
        return Response({"state": report.state, "text": report.text, "note": report.note})


class ResultSerializer(serializers.Serializer[Report]):
    text = serializers.CharField(max_length=100_000)


class Result(APIView):
    """For the worker: a key of the same account, which may write reports."""

    permission_classes = [IsAuthenticatedAndActive, IsProgram, HasTenantAccess & HasPermission("reports.write")]

    def put(self, request: Request, number: int) -> Response:
        result = ResultSerializer(data=request.data)
        result.is_valid(raise_exception=True)
        auth = auth_of(request)
        written = Report.objects.filter(pk=number, account=auth.account, state=Report.State.QUEUED).update(
            state=Report.State.WRITTEN, text=result.validated_data["text"], note=auth.key
        )
        if not written:
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)
