"""How well dips are found. Django's words need settings before a rule's judge is imported."""

from django.conf import settings

if not settings.configured:
    settings.configure(TIME_ZONE="UTC", USE_TZ=True, USE_I18N=False)
