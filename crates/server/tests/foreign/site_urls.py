"""The addresses of both profiles, and what an application has besides."""

from dj_rest_auth.jwt_auth import get_refresh_view
from dj_rest_auth.views import LoginView, LogoutView, UserDetailsView
from django.contrib.auth import get_user_model
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


urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("api/token/blacklist/", TokenBlacklistView.as_view()),
    path("api/me/", me),
    path("api/users/", everybody),
    path("api/auth/login/", LoginView.as_view()),
    path("api/auth/logout/", LogoutView.as_view()),
    path("api/auth/user/", UserDetailsView.as_view()),
    path("api/auth/token/refresh/", get_refresh_view().as_view()),
]
