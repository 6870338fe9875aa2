"""Django REST framework accepts the access tokens of a Tenure.

Nothing is imported here, so that the app can be named in ``INSTALLED_APPS``. What a project uses stands in
``tenure_drf.authentication``, ``tenure_drf.permissions`` and ``tenure_drf.handler``.
"""

__version__ = "0.1.0"
