"""A site where teachers apply for jobs: what django-qaprod is tried, shown and tested on."""
