from __future__ import annotations

from rest_framework import serializers, status
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from .models import Person, Ticket


class TicketSerializer(serializers.ModelSerializer[Ticket]):
    class Meta:
        model = Ticket
        fields = ["id", "text"]


class Me(APIView):
    def get(self, request: Request) -> Response:
        return Response({"name": request.user.get_full_name() or request.user.get_username()})


class Tickets(APIView):
    def get(self, request: Request) -> Response:
        mine = Ticket.objects.filter(author=request.user).order_by("id")
        return Response(TicketSerializer(mine, many=True).data)

    def post(self, request: Request) -> Response:
        ticket = TicketSerializer(data=request.data)
        ticket.is_valid(raise_exception=True)
        ticket.save(author=request.user)
        return Response(ticket.data, status=status.HTTP_201_CREATED)


class Team(APIView):
    """For staff; everybody else is answered 403."""

    permission_classes = [*api_settings.DEFAULT_PERMISSION_CLASSES, IsAdminUser]

    def get(self, request: Request) -> Response:
        return Response({"people": Person.objects.count()})
