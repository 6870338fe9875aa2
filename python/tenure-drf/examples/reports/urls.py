from django.urls import path

from .views import OneReport, Reports, Result

urlpatterns = [
    path("", Reports.as_view()),
    path("<int:number>", OneReport.as_view()),
    path("<int:number>/result", Result.as_view()),
]
