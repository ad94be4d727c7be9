"""The options of adapters: wrong ones are reported and left at their defaults."""

from __future__ import annotations

from pytest_django import Settings

from django_qaprod import conf, options


def test_an_adapter_without_a_setting_is_off(settings: Settings) -> None:
    settings.QAPROD = {}
    assert options.of(options.StatsD) is None
    assert conf.adapter_paths() == ()


def test_an_empty_dict_switches_it_on_with_its_defaults(settings: Settings) -> None:
    settings.QAPROD = {"STATSD": {}}
    assert options.of(options.StatsD) == options.StatsD()
    assert conf.sink_paths() == (*conf.Settings().sinks, "django_qaprod.sinks.statsd.StatsDSink")


def test_options_are_read_anew_when_they_change(settings: Settings) -> None:
    for host in ("one", "two"):
        settings.QAPROD = {"STATSD": {"HOST": host}}
        found = options.of(options.StatsD)
        assert found is not None
        assert found.host == host


def test_what_is_wrong_is_left_at_its_default_and_reported(settings: Settings) -> None:
    settings.QAPROD = {"STATSD": {"PORT": "8125", "HOTS": "here", "PREFIX": "jobs", "TAG_STYLE": "influx"}}
    assert options.of(options.StatsD) == options.StatsD(prefix="jobs")
    found = [(key, problem.key, problem.unknown) for key, problem in options.problems()]
    assert found == [("STATSD", "PORT", False), ("STATSD", "HOTS", True), ("STATSD", "TAG_STYLE", False)]
