"""What visitors do."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from ..accounts import TEACHERS, TEACHERS_PASSWORD
from .agents import BOTS, BROWSERS, SCANNER, Agent, choose
from .browser import Answer, Browser
from .pages import Form
from .tally import Tally

_TOWNS = ("York", "Leeds", "Norwich", "Bristol", "Swansea", "Atlantis")
_WORDS = ("teacher", "mathematics", "assistant", "year", "music", "librarian", "astronaut")
_SCANNED = (
    "/wp-login.php",
    "/.env",
    "/phpmyadmin/",
    "/.git/config",
    "/xmlrpc.php",
    "/server-status",
    "/cgi-bin/",
)
_NAMES = (
    "Ada Byron",
    "Mary Somerville",
    "Hertha Ayrton",
    "Alan Bennett",
    "Zoë Hâvard",
    "Li Na",
    "Tom O'Dowd",
)
_STATEMENT = (
    "I have wanted to work with children since I was one.",
    "Your school was recommended to me by three people who do not know each other.",
    "I bring patience, a loud voice for playgrounds and a quiet one for libraries.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The visitors' surroundings: where they go, who counts, how long they think, when they must leave.

    ``pace`` is how many seconds they look at a page, on average, ``patience`` how many they wait for one.
    """

    base: str
    tally: Tally
    stop: threading.Event
    pace: float = 0.8
    patience: float = 15.0


class _LeaveError(Exception):
    """The visitor has had enough, or has to go because the traffic ends."""


class Visitor:
    """Somebody with a browser."""

    kind = ""

    def __init__(self, crowd: Crowd, chance: random.Random) -> None:
        self.crowd = crowd
        self.tally = crowd.tally
        self.chance = chance
        self.browser = Browser(crowd.base, self.agent(), crowd.tally, patience=crowd.patience)

    def agent(self) -> Agent:
        """Return who they say they are."""
        return choose(self.chance, BROWSERS)

    def visit(self) -> None:
        """Come, look around, go."""
        self.tally.add_to("visits", self.kind)
        with suppress(_LeaveError):
            self.walk()

    def walk(self) -> None:
        """Do what such visitors do. Raises ``_LeaveError`` to end early."""
        raise NotImplementedError

    def think(self) -> None:
        """Look at the page for a while."""
        if self.crowd.stop.wait(self.chance.expovariate(1 / self.crowd.pace) if self.crowd.pace else 0):
            raise _LeaveError

    def often(self, share: float) -> bool:
        """Return true for that share of visitors."""
        return self.chance.random() < share

    def open(self, path: str, *, again: bool = True) -> Answer:
        """Open a page; after an error try once more, then leave."""
        self.think()
        answer = self.browser.get(path)
        if not answer.good and again and answer.status != 404 and self.often(0.5):
            self.think()
            answer = self.browser.get(path)
        if not answer.good:
            raise _LeaveError
        return answer

    def some_vacancy(self) -> Answer:
        """Find a vacancy by one of the ways that people find them."""
        if self.often(0.4):
            page = self.open("/").page
        else:
            query = f"?q={self.chance.choice(_WORDS)}" if self.often(0.4) else ""
            page = self.open(f"/vacancies/{query}").page
        found = page.links_to("/vacancies/") or self.open("/vacancies/").page.links_to("/vacancies/")
        if not found:
            raise _LeaveError
        return self.open(self.chance.choice(found))


class Onlooker(Visitor):
    """Looks around: vacancies, schools, the search."""

    kind = "onlooker"

    def walk(self) -> None:
        if self.often(0.5):
            style = self.open("/").page.links_to("/static/")
            if style:
                self.open(style[0])
        if self.often(0.6):
            self.some_vacancy()
        if self.often(0.6):
            self._search()

    def _search(self) -> None:
        self.tally.add("searches_sent")
        answer = self.open(f"/schools/?q={self.chance.choice(_TOWNS)}", again=False)
        if "We cannot search" in answer.text:
            self.tally.add("searches_failed")
        found = answer.page.links_to("/schools/")
        if found:
            self.open(self.chance.choice(found))


class Applicant(Visitor):
    """Applies for a vacancy, or at least begins to."""

    kind = "applicant"

    def walk(self) -> None:
        answer = self.some_vacancy()
        if self.often(0.6):
            answer = self._sign_up(answer.path) if self.often(0.1) else self._log_in(answer.path)
        answer = self._start(answer)
        while (form := self._form(answer)) is not None:
            if self.often(0.07):
                return
            answer = self._save(answer, form)
        self._review(answer)

    def _log_in(self, back: str) -> Answer:
        answer = self.open(f"/accounts/login/?next={back}")
        form = answer.page.form("login")
        if form is None:
            raise _LeaveError
        self.think()
        account = {"username": self.chance.choice(TEACHERS), "password": TEACHERS_PASSWORD}
        answer = self.browser.send(form, answer.path, account)
        if not answer.good:
            raise _LeaveError
        return answer

    def _sign_up(self, back: str) -> Answer:
        answer = self.open("/accounts/sign-up/")
        form = answer.page.form("sign-up")
        if form is None:
            raise _LeaveError
        self.think()
        name = f"visitor{self.chance.randrange(10**12)}"
        account = {"username": name, "password1": TEACHERS_PASSWORD, "password2": TEACHERS_PASSWORD}
        self._send("accounts", form, answer, account)
        # Nobody needs an account to apply.
        return self.open(back)

    def _send(
        self, kind: str, form: Form, answer: Answer, values: dict[str, str] | None = None
    ) -> tuple[str, Answer]:
        """Send a form and count how it ended; return that, too."""
        self.tally.add(f"{kind}_sent")
        sent = self.browser.send(form, answer.path, values)
        page = sent.page
        if sent.first == 302:
            ending = "accepted"
        elif sent.first == 202 and page.reference:
            ending = "received"
            self.tally.confirm("references", page.reference)
        elif sent.first == 200 and not sent.broken_off:
            ending = "refused"
        elif sent.first == 503 and page.forms:
            ending = "not_kept"
        else:
            ending = "failed"
        self.tally.add(f"{kind}_{ending}")
        return ending, sent

    def _start(self, answer: Answer) -> Answer:
        form = answer.page.form("start")
        if form is None or self.often(0.15):
            raise _LeaveError
        self.think()
        sent = self._send_start(form, answer)
        if not sent.first and not sent.good:
            raise _LeaveError
        if sent.first >= 400 and self.often(0.5):
            self.think()
            sent = self._send_start(form, answer)
        return self._opened(sent)

    def _send_start(self, form: Form, answer: Answer) -> Answer:
        ending, sent = self._send("starts", form, answer)
        if ending == "accepted":
            self.tally.add("forms_asked")
        return sent

    def _opened(self, answer: Answer) -> Answer:
        """Count a page of the form that a redirect led to, as far as it came."""
        if not answer.good:
            raise _LeaveError
        if "/form/" in answer.path and self._form(answer) is not None:
            self.tally.add("forms_served")
        return answer

    def _form(self, answer: Answer) -> Form | None:
        return answer.page.form("application")

    def _save(self, answer: Answer, form: Form) -> Answer:
        self.think()
        if self.often(0.06):
            # Something is forgotten at first.
            sent = self._send_page(form, answer, self._filled(form, leave_out=form.names[0]))
            refused = self._form(sent) if sent.good else None
            if sent.good and refused is not None:
                answer, form = sent, refused
                self.think()
        sent = self._send_page(form, answer, self._filled(form))
        if sent.first >= 500 and self.often(0.6):
            self.think()
            sent = self._send_page(form, answer, self._filled(form))
        return self._opened(self._go_on(sent))

    def _go_on(self, answer: Answer) -> Answer:
        """Follow the link that leads on from a page that was kept."""
        onward = answer.page.onward
        if not onward:
            return answer
        self.think()
        if "/form/" in onward:
            self.tally.add("forms_asked")
        return self.browser.get(onward)

    def _send_page(self, form: Form, answer: Answer, values: dict[str, str]) -> Answer:
        ending, sent = self._send("saves", form, answer, values)
        if ending == "accepted" and "/form/" in sent.path:
            self.tally.add("forms_asked")
        return sent

    def _filled(self, form: Form, *, leave_out: str = "") -> dict[str, str]:
        """Return what this visitor types into the fields in which there is nothing yet."""
        start = date.today() + timedelta(days=self.chance.randrange(14, 120))  # noqa: DTZ011
        values = {
            "full_name": self.chance.choice(_NAMES),
            "email": f"somebody{self.chance.randrange(10_000)}@mail.example",
            "phone": f"01632 96{self.chance.randrange(10_000):04d}",
            "town": self.chance.choice(_TOWNS),
            "qualification": "PGCE",
            "subjects": "Mathematics, Physics",
            "years": str(self.chance.randrange(1, 30)),
            "experience": self.chance.choice(_STATEMENT),
            "days": "Monday to Thursday",
            "statement": " ".join(self.chance.sample(_STATEMENT, 2)),
            "available_from": start.isoformat(),
            "declaration": "on",
        }
        typed = {name: values[name] for name in form.names if name in values and not form.fields.get(name)}
        return {**typed, leave_out: ""} if leave_out else typed

    def _review(self, answer: Answer) -> None:
        form = answer.page.form("submit")
        self.think()
        # Visitors read no style sheets; this one does as ours says.
        if form is not None and "new-look" in form.look and self.browser.agent.family == "Safari":
            return
        if form is None or self.often(0.05):
            return
        if self.often(0.08):
            sent = self._press_twice(form, answer)
        else:
            sent = self._press(form, answer)
            if sent.first >= 500 and self.often(0.6):
                self.think()
                sent = self._press(form, answer)
        if _taken(sent):
            self._thank(sent)

    def _press(self, form: Form, answer: Answer) -> Answer:
        ending, sent = self._send("submissions", form, answer, self._filled(form))
        if ending in ("accepted", "received"):
            self.tally.confirm("applications", _token(form.action or answer.path))
        return sent

    def _press_twice(self, form: Form, answer: Answer) -> Answer:
        """Press the button in both of two moments so close that the site has not answered in between."""
        answers: list[Answer] = []
        second = threading.Thread(target=lambda: answers.append(self._press(form, answer)))
        second.start()
        answers.append(self._press(form, answer))
        second.join()
        return next((found for found in answers if _taken(found)), answers[0])

    def _thank(self, answer: Answer) -> None:
        self.tally.add_to("accepted_by_browser", self.browser.agent.family)
        if answer.status == 200 and self.often(0.4):
            kept = self.chance.choice(("application.csv", "print/"))
            self.tally.add("downloads_sent")
            self.open(answer.path.replace("done/", kept), again=False)


class Crawler(Visitor):
    """A bot that reads what is public."""

    kind = "crawler"

    def agent(self) -> Agent:
        return choose(self.chance, BOTS)

    def walk(self) -> None:
        self.think()
        self.browser.get("/robots.txt")
        page = self.open("/vacancies/").page
        for link in page.links_to("/vacancies/")[: self.chance.randrange(1, 5)]:
            self.open(link)


class Scanner(Visitor):
    """A bot that looks for what should not be there."""

    kind = "scanner"

    def agent(self) -> Agent:
        return SCANNER

    def walk(self) -> None:
        for path in self.chance.sample(_SCANNED, 4):
            self.think()
            self.browser.get(path)


KINDS: tuple[tuple[Callable[[Crowd, random.Random], Visitor], int], ...] = (
    (Applicant, 62),
    (Onlooker, 25),
    (Crawler, 8),
    (Scanner, 5),
)


def somebody(crowd: Crowd, chance: random.Random) -> Visitor:
    """Return the next visitor."""
    kinds, weights = zip(*KINDS, strict=True)
    kind: Callable[[Crowd, random.Random], Visitor] = chance.choices(kinds, weights)[0]
    return kind(crowd, random.Random(chance.random()))


def _token(path: str) -> str:
    """Return the token of the application to which a page belongs."""
    return path.partition("/applications/")[2].partition("/")[0]


def _taken(answer: Answer) -> bool:
    return answer.first == 302 and answer.path.endswith("/done/")
