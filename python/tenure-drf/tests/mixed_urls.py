"""The site while some of its views go by other sign-ins as well."""

from functools import partial

from django.urls import path
from rest_framework.authentication import SessionAuthentication

from shop import views
from site_urls import urlpatterns as usual
from tenure_drf.authentication import TenureAuthentication

urlpatterns = [
    *usual,
    path("sessions-first", views.SessionsFirst.as_view()),
    path("sessions-alone", views.SessionsAlone.as_view()),
    path("both-kinds", views.BothKinds.as_view()),
    path("by-sessions", views.Served.as_view(authentication_classes=[SessionAuthentication])),
    path("by-what-is-made", views.Served.as_view(authentication_classes=[partial(SessionAuthentication)])),
    path("by-tokens", views.Served.as_view(authentication_classes=[TenureAuthentication])),
]
