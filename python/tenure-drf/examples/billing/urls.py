from django.urls import path

from .views import Export, Plan, webhook

urlpatterns = [
    path("stripe", webhook),
    path("plan", Plan.as_view()),
    path("export", Export.as_view()),
]
