"""Pages for people without a login, by one ``include("django_qaprod.urls")``."""
