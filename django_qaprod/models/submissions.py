"""Rescued submissions: what visitors sent in a POST that failed, and what became of it.

Business facts: they live with the host's own tables, so that a replay's effect and its outcome are one
transaction. What was sent is encrypted, in a table of its own that no list reads.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class RescuedSubmission(models.Model):
    """A submission that its view could not take. The id is a record id (UUID version 7): sorted by time."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        QUEUED = "queued", _("queued")
        REPLAYING = "replaying", _("being replayed")
        REPLAYED = "replayed", _("replayed")
        DISCARDED = "discarded", _("discarded")

    class Doubt(models.TextChoices):
        """Why it may have taken effect already; what is in doubt is never replayed unasked."""

        COMMIT = "commit", _("the connection was lost at the commit")
        UNTRANSACTED = "untransacted", _("its view works outside of a transaction")
        PAGE = "page", _("its view had ended; only the page failed")
        INTERRUPTED = "interrupted", _("a replay was cut off")
        VISITOR = "visitor", _("nobody could tell who was signed in")
        RESENT = "resent", _("the visitor has sent it again, and it may have been taken then")

    class Healing(models.TextChoices):
        BY_HAND = "by_hand", _("by hand")
        AFTER_DEPLOY = "after_deploy", _("after a deploy")

    id = models.CharField(_("id"), max_length=32, primary_key=True)
    key = models.CharField(_("idempotency key"), max_length=64, unique=True, editable=False)
    at = models.DateTimeField(_("sent"))
    name = models.CharField(_("view"), max_length=200)
    journey = models.CharField(_("journey"), max_length=100, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    route = models.CharField(_("route"), max_length=300, blank=True)
    user = models.CharField(_("user"), max_length=100, blank=True)
    request_id = models.CharField(_("request id"), max_length=128, blank=True)
    release = models.CharField(_("release"), max_length=100, blank=True)
    # The fingerprint of the failure and the id of its occurrence: telemetry, so no foreign keys.
    failure = models.CharField(_("failure"), max_length=64, blank=True)
    occurrence = models.CharField(_("occurrence"), max_length=32, blank=True)

    state = models.CharField(_("state"), max_length=16, choices=State, default=State.WAITING)
    state_since = models.DateTimeField(_("in this state since"))
    in_doubt = models.CharField(_("in doubt"), max_length=16, choices=Doubt, blank=True)
    # Whether a replay's effect and its outcome commit together.
    transactional = models.BooleanField(_("settled with its effect"), default=True)
    healing = models.CharField(_("replay"), max_length=16, choices=Healing, default=Healing.BY_HAND)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    # 0 holds the place of one that lies in a spool yet.
    version = models.PositiveIntegerField(_("version"), default=1)
    # Who last asked for something or decided it, and why.
    decided_by = models.CharField(_("by"), max_length=150, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    # Whoever replays it has this token, until then.
    claim = models.CharField(max_length=32, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("rescued submission")
        verbose_name_plural = _("rescued submissions")
        # The ids sort by time.
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("state", "-id"), name="qaprod_submission_state"),
            models.Index(fields=("failure", "state"), name="qaprod_submission_failure"),
        )
        permissions = (
            ("decrypt_rescuedsubmission", "Can see what was sent in rescued submissions"),
            ("edit_rescuedsubmission", "Can edit rescued submissions"),
            ("replay_rescuedsubmission", "Can replay rescued submissions"),
            ("discard_rescuedsubmission", "Can discard rescued submissions"),
        )

    def __str__(self) -> str:
        return self.id


class SubmissionVersion(models.Model):
    """What was sent, encrypted: the original is version 1, an edit stands beside it."""

    # The constraint's index serves the foreign key, too.
    submission = models.ForeignKey(
        RescuedSubmission, on_delete=models.CASCADE, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField(_("version"))
    content = models.BinaryField(editable=False)
    by = models.CharField(_("by"), max_length=150, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("version of a submission")
        verbose_name_plural = _("versions of submissions")
        constraints = (
            models.UniqueConstraint(fields=("submission", "number"), name="qaprod_submission_version"),
        )

    def __str__(self) -> str:
        return f"{self.submission_id} {self.number}"


class SubmissionAct(models.Model):
    """What was done with a rescued submission, by whom: the audit, and the history that its page shows.

    Each decryption is a row: by people (``viewed``, ``edited``), by replays, by a rotation of the keys, and
    where the visitor's session was asked who it was (``recognised``).
    """

    class Act(models.TextChoices):
        VIEWED = "viewed", _("seen")
        EDITED = "edited", _("edited")
        QUEUED = "queued", _("replay asked for")
        REPLAYED = "replayed", _("replay")
        DISCARDED = "discarded", _("discarded")
        ROTATED = "rotated", _("keys rotated")
        RECOGNISED = "recognised", _("the session was asked who it was")

    class Outcome(models.TextChoices):
        """How a replay went."""

        RUNNING = "running", _("under way")
        SUCCEEDED = "succeeded", _("succeeded")
        REFUSED = "refused", _("refused")
        FAILED = "failed", _("failed")
        INTERRUPTED = "interrupted", _("cut off")

    submission = models.ForeignKey(RescuedSubmission, on_delete=models.CASCADE, related_name="acts")
    at = models.DateTimeField(_("at"))
    who = models.CharField(_("who"), max_length=150)
    act = models.CharField(_("act"), max_length=16, choices=Act)
    version = models.PositiveIntegerField(_("version"))
    why = models.CharField(_("why"), max_length=500, blank=True)
    # Of replays alone
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    finished_at = models.DateTimeField(_("ended"), null=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, blank=True)
    status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    failure = models.CharField(_("failure"), max_length=64, blank=True)
    request_id = models.CharField(_("request id"), max_length=128, blank=True)

    class Meta:
        verbose_name = _("act")
        verbose_name_plural = _("acts")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.submission_id} {self.act}"
