"""From step 5 on: the views of before that write passwords, which are Tenure's now."""

from __future__ import annotations

from django.core.mail import send_mail
from django.db import transaction
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from . import tenure
from .models import Account, Person


class ForAnybody(APIView):
    # Whoever is here has no token that counts.
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AnonRateThrottle,)


class Address(serializers.Serializer):
    email = serializers.EmailField()


class NewPerson(Address):
    name = serializers.CharField(max_length=150)
    password = serializers.CharField(trim_whitespace=False)


class Forgotten(ForAnybody):
    """Sends a link, and says the same whatever becomes of it: also that Tenure is away would tell who is known here.

    With Celery it is a task, which tries again, and takes as long for everybody.
    """

    def post(self, request: Request) -> Response:
        asked = Address(data=request.data)
        asked.is_valid(raise_exception=True)
        known = Person.objects.filter(
            email__iexact=asked.validated_data["email"], is_active=True, tenure_id__isnull=False
        )
        for person in known:
            try:
                link = tenure.reset_link(person.tenure_id)
            except tenure.Refused:
                # Who is disabled there gets none. What else it was is in the log.
                continue
            # To the address that we know, never to the one that was typed.
            send_mail("A new password", f"Choose it here:\n\n{link}\n", None, [person.email])
        return Response(status=status.HTTP_204_NO_CONTENT)


class SignUp(ForAnybody):
    """Makes a row here and somebody at Tenure, or neither."""

    def post(self, request: Request) -> Response:
        wish = NewPerson(data=request.data)
        wish.is_valid(raise_exception=True)
        email, name, password = (wish.validated_data[field] for field in ("email", "name", "password"))
        if Person.objects.filter(email__iexact=email).exists():
            raise tenure.Refused(409, "Somebody has signed up under that address.")
        with transaction.atomic():
            account = Account.objects.create(name=f"{name}'s")
            # With the password here as well, for as long as this step may be taken back.
            person = Person.objects.create_user(email, email, password, first_name=name, account=account)
            # Last: if it is refused, or nobody answers, the row goes as well.
            person.tenure_id = tenure.new_user(person, password)
            person.save(update_fields=["tenure_id"])
        return Response(status=status.HTTP_201_CREATED)
