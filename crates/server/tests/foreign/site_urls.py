"""The addresses of both profiles, and what an application has besides."""

import os
from pathlib import Path

from dj_rest_auth.jwt_auth import get_refresh_view
from dj_rest_auth.views import LoginView, LogoutView, UserDetailsView
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.urls import path
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import IsAdminUser
from rest_framework.response import Response
from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView, TokenRefreshView


@api_view(["GET"])
def me(request):
    return Response({"username": request.user.get_username()})


@api_view(["GET"])
@permission_classes([IsAdminUser])
def everybody(request):
    return Response({"users": get_user_model().objects.count()})


@api_view(["GET"])
def answer(request, status):
    return Response({"detail": "As asked."}, status=status)


def front_end(request, page):
    """A front end that somebody else has built: FRONT_END is the folder of its page and its script."""
    folder = Path(os.environ["FRONT_END"])
    name, kind = ("observed.js", "text/javascript") if page.endswith(".js") else ("observed.html", "text/html")
    return HttpResponse((folder / name).read_bytes(), content_type=f"{kind}; charset=utf-8")


urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("api/token/blacklist/", TokenBlacklistView.as_view()),
    path("api/me/", me),
    path("api/users/", everybody),
    path("app/<path:page>", front_end),
    path("api/answer/<int:status>/", answer),
    path("api/auth/login/", LoginView.as_view()),
    path("api/auth/logout/", LogoutView.as_view()),
    path("api/auth/user/", UserDetailsView.as_view()),
    path("api/auth/token/refresh/", get_refresh_view().as_view()),
]
