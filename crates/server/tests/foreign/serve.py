"""Serves the site on a free port of the loopback interface, which it prints, until its standard input ends.

With arguments it is what a hook of a profile runs beside it: `serve.py disable|enable USERNAME`.
"""

import os
import sys
import threading

os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"

import django

django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def serve():
    call_command("migrate", verbosity=0)
    for name in ("ada@example.com", "bob@example.com"):
        get_user_model().objects.create_user(name, email=name, password="correct horse")
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    # Whoever started us is gone when this ends, however they went.
    sys.stdin.read()


def main(verb=None, username=None):
    if verb is None:
        serve()
    else:
        changed = get_user_model().objects.filter(username=username).update(is_active=verb == "enable")
        sys.exit(0 if changed == 1 else 1)


main(*sys.argv[1:])
