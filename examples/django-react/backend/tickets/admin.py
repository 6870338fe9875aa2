from django.contrib import admin

from .models import Account, Person, Ticket

admin.site.register([Account, Person, Ticket])
