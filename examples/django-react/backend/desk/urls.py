from django.conf import settings
from django.contrib import admin
from django.urls import path
from django.utils.module_loading import import_string
from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView

from tickets import joining, views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/me/", views.Me.as_view()),
    path("api/tickets/", views.Tickets.as_view()),
    path("api/team/", views.Team.as_view()),
]

# Once there are no passwords here any more.
if hasattr(settings, "TENURE_KEY"):
    urlpatterns += [
        path("api/sign-up/", joining.SignUp.as_view()),
        path("api/password/forgotten/", joining.Forgotten.as_view()),
    ]

# Until Tenure alone hands out tokens.
if hasattr(settings, "REFRESH_VIEW"):
    urlpatterns += [
        path("api/token/", TokenObtainPairView.as_view()),
        path("api/token/refresh/", import_string(settings.REFRESH_VIEW).as_view()),
        path("api/token/blacklist/", TokenBlacklistView.as_view()),
    ]
