"""Schools, vacancies and teachers to begin with. The same ones every time."""

from __future__ import annotations

import random
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.text import slugify

from ..accounts import TEACHERS, TEACHERS_PASSWORD
from .models import FormType, School, Vacancy

_NAMES = (
    ("Ashfield Primary School", School.Phase.PRIMARY, "Norwich"),
    ("Beacon Hill Academy", School.Phase.SECONDARY, "Bristol"),
    ("Canal Street Primary School", School.Phase.PRIMARY, "Leeds"),
    ("Dove Valley School", School.Phase.SPECIAL, "Oldham"),
    ("Eastgate High School", School.Phase.SECONDARY, "York"),
    ("Fern Bank Primary School", School.Phase.PRIMARY, "Ripon"),
    ("Greenwood College", School.Phase.SECONDARY, "Swansea"),
    ("Harbour View School", School.Phase.SECONDARY, "Penzance"),
    ("Ivy Lane Infant School", School.Phase.PRIMARY, "Abingdon"),
    ("Kingfisher School", School.Phase.SPECIAL, "York"),
    ("Lark Rise Primary School", School.Phase.PRIMARY, "Bristol"),
    ("Mill Road Academy", School.Phase.SECONDARY, "Leeds"),
    ("Northbrook High School", School.Phase.SECONDARY, "Norwich"),
    ("Orchard House School", School.Phase.PRIMARY, "Swansea"),
)
_SUBJECTS = (
    "Biology",
    "Chemistry",
    "Computing",
    "English",
    "Geography",
    "History",
    "Mathematics",
    "Music",
    "Physics",
)
_SUPPORT = (
    "Teaching Assistant",
    "School Librarian",
    "Science Technician",
    "Office Manager",
    "Caretaker",
    "Cook",
)
_HOURS = ("Full time", "Full time", "Part time, 0.6", "Term time only")
_ABOUT = (
    "We are a friendly school with a garden, a leaky library roof and a choir that wins things.",
    "Our pupils come from forty countries, and most of them are early.",
    "We opened in 1911. The heating was replaced in 2019, and we are proud of both.",
    "Small classes, long corridors, and a staff room with decent coffee.",
)
_WANTED = (
    "You like to teach, and you like the people whom you teach. You plan well and laugh easily.",
    "You will join a team that shares its lessons and its biscuits, with time set aside for planning.",
    "We look for somebody who stays calm on wet Fridays and keeps an eye on the quiet ones.",
)


def seed(*, vacancies: int = 42) -> None:
    """Make what is not there yet, and keep vacancies open that have closed meanwhile."""
    chance = random.Random(7)
    if not School.objects.exists():
        School.objects.bulk_create(_school(chance, *row) for row in _NAMES)
        schools = list(School.objects.all())
        Vacancy.objects.bulk_create(_vacancy(chance, chance.choice(schools)) for _ in range(vacancies))
        for name in TEACHERS:
            User.objects.create_user(name, f"{name}@teachers.example", TEACHERS_PASSWORD)
    _reopen(chance)


def _school(chance: random.Random, name: str, phase: str, town: str) -> School:
    slug = slugify(name)
    return School(
        name=name,
        slug=slug,
        phase=phase,
        town=town,
        email=f"office@{slug}.example",
        pupils=chance.randrange(90, 1400, 10),
        about=chance.choice(_ABOUT),
    )


def _vacancy(chance: random.Random, school: School) -> Vacancy:
    teaches = chance.random() < 0.6
    if teaches and school.phase == School.Phase.SECONDARY:
        title = f"{chance.choice(('Teacher of', 'Head of'))} {chance.choice(_SUBJECTS)}"
    elif teaches:
        title = f"Class Teacher, Year {chance.randrange(1, 7)}"
    else:
        title = chance.choice(_SUPPORT)
    salary = chance.randrange(30_000, 44_000, 500) if teaches else chance.randrange(21_000, 28_000, 250)
    today = timezone.localdate()
    return Vacancy(
        school=school,
        title=title,
        form_type=FormType.TEACHER if teaches else FormType.SUPPORT,
        hours=chance.choice(_HOURS),
        salary_from=salary,
        salary_to=salary + chance.randrange(2_000, 12_000, 500),
        description="\n\n".join(chance.sample(_WANTED, 2)),
        posted_on=today - timedelta(days=chance.randrange(0, 20)),
        closes_on=today + timedelta(days=chance.randrange(2, 40)),
    )


def _reopen(chance: random.Random) -> None:
    today = timezone.localdate()
    closed = list(Vacancy.objects.filter(closes_on__lt=today))
    for vacancy in closed:
        vacancy.posted_on, vacancy.closes_on = today, today + timedelta(days=chance.randrange(5, 40))
    Vacancy.objects.bulk_update(closed, ["posted_on", "closes_on"])
