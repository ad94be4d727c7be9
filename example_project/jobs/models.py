"""Schools, their vacancies, and the applications for them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class FormType(models.TextChoices):
    """The two types of application form."""

    TEACHER = "teacher", "Teacher"
    SUPPORT = "support", "Support staff"


class School(models.Model):
    """A school that looks for people. Applications go to its e-mail address."""

    class Phase(models.TextChoices):
        PRIMARY = "primary", "Primary school"
        SECONDARY = "secondary", "Secondary school"
        SPECIAL = "special", "Special school"

    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    phase = models.CharField(max_length=12, choices=Phase)
    town = models.CharField(max_length=80)
    email = models.EmailField()
    pupils = models.PositiveIntegerField()
    about = models.TextField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("jobs:school", args=(self.slug,))


class Vacancy(models.Model):
    """A job."""

    school = models.ForeignKey(School, on_delete=models.CASCADE, related_name="vacancies")
    title = models.CharField(max_length=120)
    form_type = models.CharField(max_length=12, choices=FormType)
    hours = models.CharField(max_length=40)
    salary_from = models.PositiveIntegerField()
    salary_to = models.PositiveIntegerField()
    description = models.TextField()
    posted_on = models.DateField()
    closes_on = models.DateField()

    class Meta:
        ordering = ("closes_on", "pk")
        verbose_name_plural = "vacancies"

    def __str__(self) -> str:
        return f"{self.title}, {self.school}"

    def get_absolute_url(self) -> str:
        return reverse("jobs:vacancy", args=(self.pk,))

    @property
    def is_open(self) -> bool:
        return self.closes_on >= timezone.localdate()

    @property
    def days_left(self) -> int:
        return (self.closes_on - timezone.localdate()).days


class Application(models.Model):
    """Somebody's application for a vacancy, from the first click to what the school received."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Submitted"

    token = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    vacancy = models.ForeignKey(Vacancy, on_delete=models.CASCADE, related_name="applications")
    teacher = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="applications",
    )
    form_type = models.CharField(max_length=12, choices=FormType)
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)

    full_name = models.CharField("full name", max_length=120, blank=True)
    email = models.EmailField("e-mail address", blank=True)
    phone = models.CharField("telephone", max_length=30, blank=True)
    town = models.CharField("town", max_length=80, blank=True)
    current_school = models.ForeignKey(
        School,
        verbose_name="the school where you work now, if it is one of ours",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    # Of teachers
    qualification = models.CharField("teaching qualification", max_length=120, blank=True)
    subjects = models.CharField("subjects that you teach", max_length=200, blank=True)
    years = models.PositiveSmallIntegerField("years of teaching", null=True, blank=True)
    # Of support staff
    experience = models.TextField("your experience in schools or elsewhere", blank=True)
    first_aid = models.BooleanField("I have a first-aid certificate", default=False)
    days = models.CharField("days on which you can work", max_length=60, blank=True)

    statement = models.TextField("why you would like this job", blank=True)
    available_from = models.DateField("when you could start", null=True, blank=True)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    emailed_at = models.DateTimeField("sent to the school", null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.full_name or 'Somebody'} for {self.vacancy}"

    def get_absolute_url(self) -> str:
        return reverse("jobs:application", args=(self.token,))

    @property
    def is_submitted(self) -> bool:
        return self.status == self.Status.SUBMITTED
