"""What is known around a breach."""

from __future__ import annotations

from django.db.models import Q

from ..models import Affected, Breach, Failure, Occurrence

#: Failures that are shown of one breach.
MOST = 10


def failures_around(breach: Breach) -> list[Failure]:
    """Return the failures that its subject, or the request of its event, has met; the latest first.

    Three queries. What retention has deleted is not among them.
    """
    who = Affected.Who.SUBJECT
    met = Affected.objects.filter(who=who, key=breach.subject, journey=breach.journey)
    ids = set(met.values_list("failure", flat=True)[: 10 * MOST])
    if breach.request_id:
        same = Occurrence.objects.filter(request_id=breach.request_id)
        ids |= set(same.values_list("failure", flat=True)[:MOST])
    return list(Failure.objects.filter(Q(pk__in=ids)).order_by("-last_seen")[:MOST]) if ids else []
