from django.apps import AppConfig


class TenureConfig(AppConfig):
    """Brings the system checks: ``manage.py check --tag tenure``."""

    name = "tenure_drf"
    label = "tenure_drf"
    verbose_name = "Tenure"

    def ready(self) -> None:
        from . import checks

        checks.register()
