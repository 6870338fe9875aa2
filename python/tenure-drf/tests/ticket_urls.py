"""The site while people move in from it: tickets for each kind of sign-in."""

from django.urls import include, path
from rest_framework.authentication import BasicAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework_simplejwt.authentication import JWTAuthentication

from shop.views import CookieAuthentication, UncheckedAuthentication
from site_urls import urlpatterns as usual
from tenure_drf.authentication import TenureAuthentication
from tenure_drf.exchange import TicketView

KINDS = {
    "tokens": JWTAuthentication,
    "session": SessionAuthentication,
    "key": TokenAuthentication,
    "basic": BasicAuthentication,
    "cookie": CookieAuthentication,
    "unchecked": UncheckedAuthentication,
}
tickets = [
    path(name, TicketView.as_view(authentication_classes=[TenureAuthentication, kind])) for name, kind in KINDS.items()
]
urlpatterns = [*usual, path("ticket/", include(tickets))]
