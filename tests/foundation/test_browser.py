"""Families are told from what browsers really send, and a flood of made-up agents leaves nothing behind."""

from __future__ import annotations

import pytest

from django_qaprod import browser

MOZILLA = "Mozilla/5.0"
WINDOWS = f"{MOZILLA} (Windows NT 10.0; Win64; x64)"
MAC = f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7)"
IPHONE = f"{MOZILLA} (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IOS_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"

AGENTS = {
    f"{WINDOWS} {WEBKIT} Chrome/125.0.0.0 Safari/537.36": "Chrome",
    f"{MOZILLA} (Linux; Android 10; K) {WEBKIT} Chrome/125.0.0.0 Mobile Safari/537.36": "Chrome",
    f"{IPHONE} {IOS_WEBKIT} CriOS/125.0.6422.80 Mobile/15E148 Safari/604.1": "Chrome",
    f"{MOZILLA} (Linux; Android 9; CUBOT_P30) {WEBKIT} Chrome/125.0.0.0 Mobile Safari/537.36": "Chrome",
    f"{MOZILLA} (Linux; Android 7.0; CUBOT NOTE) {WEBKIT} Chrome/99.0.0.0 Mobile Safari/537.36": "Chrome",
    f"{MOZILLA} (X11; Linux x86_64) {WEBKIT} Chromium/124.0.0.0 Chrome/124.0.0.0 Safari/537.36": "Chrome",
    f"{WINDOWS} {WEBKIT} Chrome/125.0.0.0 Safari/537.36 Edg/125.0.0.0": "Edge",
    f"{WINDOWS} {WEBKIT} Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763": "Edge",
    f"{MOZILLA} (Linux; Android 10; K) {WEBKIT} Chrome/125.0 Mobile Safari/537.36 EdgA/125.0": "Edge",
    f"{IPHONE} {IOS_WEBKIT} Version/17.0 EdgiOS/125.0.2535.60 Mobile/15E148 Safari/605.1.15": "Edge",
    f"{WINDOWS} {WEBKIT} Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0": "Opera",
    "Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18": "Opera",
    f"{MOZILLA} (Linux; Android 14) {WEBKIT} SamsungBrowser/25.0 Chrome/121 Safari/537": "Samsung Internet",
    f"{MOZILLA} (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0": "Firefox",
    f"{IPHONE} {IOS_WEBKIT} FxiOS/126.0 Mobile/15E148 Safari/605.1.15": "Firefox",
    f"{MAC} {IOS_WEBKIT} Version/17.5 Safari/605.1.15": "Safari",
    f"{IPHONE} {IOS_WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1": "Safari",
    f"{MOZILLA} (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko": "Internet Explorer",
    f"{MOZILLA} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "Bot",
    f"{MOZILLA} (Linux; Android 6.0.1; Nexus 5X) {WEBKIT} Chrome/125.0 Mobile Safari/537.36 "
    "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "Bot",
    f"{MOZILLA} (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": "Bot",
    f"{MOZILLA} (compatible; YandexBot/3.0; +http://yandex.com/bots)": "Bot",
    f"{MOZILLA} (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)": "Bot",
    f"{MOZILLA} {WEBKIT}; compatible; GPTBot/1.2; +https://openai.com/gptbot": "Bot",
    f"{MOZILLA} {WEBKIT}; compatible; ChatGPT-User/1.0; +https://openai.com/bot": "Bot",
    f"{MOZILLA} (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)": "Bot",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": "Bot",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)": "Bot",
    "UptimeRobot/2.0": "Bot",
    f"{MOZILLA} (compatible; Pingdom.com_bot_version_1.4_(http://www.pingdom.com/))": "Bot",
    f"{MOZILLA} (X11; Linux x86_64) {WEBKIT} HeadlessChrome/125.0.0.0 Safari/537.36": "Bot",
    "curl/8.5.0": "Bot",
    "Wget/1.21.4": "Bot",
    "python-requests/2.32.3": "Bot",
    "Python-urllib/3.12": "Bot",
    "python-httpx/0.27.0": "Bot",
    "Go-http-client/2.0": "Bot",
    "Java/17.0.10": "Bot",
    "Apache-HttpClient/4.5.14 (Java/17.0.10)": "Bot",
    "okhttp/4.12.0": "Bot",
    "axios/1.7.2": "Bot",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)": "Bot",
    "PostmanRuntime/7.39.0": "Bot",
    "kube-probe/1.29": "Bot",
    "ELB-HealthChecker/2.0": "Bot",
    "GoogleHC/1.0": "Bot",
    "": "Other",
    "Lynx/2.9.0dev.12 libwww-FM/2.14": "Other",
    "a mobile app of our own/1.0": "Other",
    "\x00\ud800 <script>": "Other",
}


@pytest.mark.parametrize("agent", AGENTS)
def test_the_family_of_a_real_user_agent(agent: str) -> None:
    assert browser.family(agent) == AGENTS[agent]
    assert browser.family(agent) == AGENTS[agent], "and again, from memory"


def test_memory_is_bounded_in_number_and_in_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_cache", {})
    for number in range(5000):
        browser.family(f"made up {number}")
    assert len(browser._cache) <= 1024
    browser.family("x" * 100_000)
    assert max(map(len, browser._cache)) <= 512


def test_only_the_beginning_of_an_endless_agent_is_looked_at() -> None:
    assert browser.family("x" * 10_000_000 + "Firefox/1") == "Other"
