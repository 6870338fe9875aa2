"""A mistake: nobody can be signed in by anything but Tenure where tickets are given out."""

from django.urls import path

from tenure_drf.exchange import ticket

urlpatterns = [path("ticket", ticket)]
