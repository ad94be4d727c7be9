"""Numbers: append-only, pre-aggregated rows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Series(models.Model):
    """What is counted: a name and its attributes. ``label`` is the attribute that pages look up by."""

    digest = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=100)
    label = models.CharField(max_length=300, blank=True)
    attributes = models.JSONField(default=dict)
    gauge = models.BooleanField(default=False)
    unit = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = _("series")
        verbose_name_plural = _("series")
        indexes = (models.Index(fields=("name", "label"), name="qaprod_series_name"),)

    def __str__(self) -> str:
        return f"{self.name} {self.label}".strip()


class Bucket(models.Model):
    """The numbers of a series in a stretch of time that begins at ``start``.

    Several rows may speak of the same stretch (two machines, a late one); their sum is the truth.
    A row whose numbers have been added to a coarser one has ``rolled`` set, so that at any time the
    rows of one resolution and the unrolled ones of all finer resolutions are exactly everything.
    """

    class Resolution(models.IntegerChoices):
        """Seconds; ``RAW`` rows come from a drainer and start at the minute they belong to."""

        RAW = 0, _("as it came")
        MINUTE = 60, _("minute")
        HOUR = 3600, _("hour")
        DAY = 86400, _("day")

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="buckets")
    resolution = models.PositiveIntegerField(choices=Resolution)
    start = models.DateTimeField()
    count = models.PositiveBigIntegerField()
    total = models.FloatField(default=0)
    minimum = models.FloatField(default=0)
    maximum = models.FloatField(default=0)
    histogram = models.BinaryField(default=bytes)
    rolled = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("bucket")
        verbose_name_plural = _("buckets")
        indexes = (
            models.Index(fields=("series", "resolution", "rolled", "start"), name="qaprod_bucket_series"),
            models.Index(fields=("resolution", "start"), name="qaprod_bucket_when"),
            models.Index(
                fields=("resolution", "start"), condition=models.Q(rolled=False), name="qaprod_bucket_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.series_id} {self.start:%Y-%m-%d %H:%M} {self.count}"
