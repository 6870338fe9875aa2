#!/usr/bin/env python
"""`STEP=3 python manage.py runserver` is the app after the third step of docs/guide/rollout.md."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"desk.settings.step{os.environ.get('STEP', '0')}")
execute_from_command_line(sys.argv)
