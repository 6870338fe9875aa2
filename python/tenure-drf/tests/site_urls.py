from django.contrib import admin
from django.urls import include, path

from shop import views

urlpatterns = [
    path("me", views.Me.as_view()),
    path("account", views.Account.as_view()),
    path("seats", views.Seats.as_view()),
    path("denies", views.Denies.as_view()),
    path("fails/<how>", views.Fails.as_view()),
    path("throttled", views.Throttled.as_view()),
    path("writes", views.Writes.as_view()),
    *(
        path(f"requires/{name}", views.Served.as_view(permission_classes=needs))
        for name, needs in views.REQUIRING.items()
    ),
    path("reports/", include("reports.urls")),
    path("billing/", include("billing.urls")),
    path("admin/", admin.site.urls),
]
