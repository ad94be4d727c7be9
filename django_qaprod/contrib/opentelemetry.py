"""OpenTelemetry: traces."""


def install() -> None:
    """Switch traces on."""
