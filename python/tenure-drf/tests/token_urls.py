"""The site while simplejwt hands tokens out beside Tenure."""

from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView

from site_urls import urlpatterns as usual

urlpatterns = [*usual, path("token", TokenObtainPairView.as_view())]
