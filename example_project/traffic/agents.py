"""Browsers and bots, as they introduce themselves."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A User-Agent header, whose it is, and how many in a hundred visitors have it."""

    family: str
    header: str
    share: int


_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"
_ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9)"
_KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE_KIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"

BROWSERS = (
    Agent(family="Chrome", header=f"{_WINDOWS} {_KIT} Chrome/141.0.0.0 Safari/537.36", share=28),
    Agent(family="Chrome", header=f"{_ANDROID} {_KIT} Chrome/141.0.0.0 Mobile Safari/537.36", share=16),
    Agent(
        family="Safari", header=f"{_IPHONE} {_APPLE_KIT} Version/18.5 Mobile/15E148 Safari/604.1", share=18
    ),
    Agent(family="Safari", header=f"{_MAC} {_APPLE_KIT} Version/18.5 Safari/605.1.15", share=10),
    Agent(family="Edge", header=f"{_WINDOWS} {_KIT} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0", share=12),
    Agent(
        family="Firefox",
        header=f"{_WINDOWS.removesuffix(')')}; rv:143.0) Gecko/20100101 Firefox/143.0",
        share=11,
    ),
    Agent(
        family="Samsung Internet",
        header=f"{_ANDROID} {_KIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
        share=5,
    ),
)

BOTS = (
    Agent(
        family="Bot",
        header="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        share=60,
    ),
    Agent(
        family="Bot",
        header="Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        share=30,
    ),
    Agent(family="Bot", header="curl/8.14.1", share=10),
)

SCANNER = Agent(family="Bot", header="Mozilla/5.0 zgrab/0.x", share=100)


def choose(chance: random.Random, agents: tuple[Agent, ...]) -> Agent:
    """Return one of them, by its share."""
    return chance.choices(agents, [agent.share for agent in agents])[0]
