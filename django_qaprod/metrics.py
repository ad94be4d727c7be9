"""The gauges that each process reads of itself and of the machine, and their units (UCUM).

Names are those of OpenTelemetry's semantic conventions where there is one:
https://opentelemetry.io/docs/specs/semconv/system/process-metrics/, ``…/container-metrics/`` and
``…/system-metrics/``.
"""

from __future__ import annotations

from collections.abc import Mapping

# Of a process
CPU = "process.cpu.utilization"
MEMORY = "process.memory.usage"
THREADS = "process.thread.count"
FILES = "process.unix.file_descriptor.count"
FILES_SHARE = "qaprod.file_descriptor.utilization"
CONNECTIONS = "qaprod.database.connections"
BUFFER = "qaprod.buffer.utilization"
# Of the container, or of the machine where nothing is limited
CONTAINER_MEMORY = "container.memory.usage"
MEMORY_SHARE = "qaprod.memory.utilization"
CPU_SHARE = "qaprod.cpu.utilization"
DISK = "system.filesystem.utilization"
# Of ourselves
SPOOL = "qaprod.spool.utilization"
LAG = "qaprod.worker.lag"
SINK_LAG = "qaprod.sink.lag"

UNITS: Mapping[str, str] = {
    CPU: "1",
    CPU_SHARE: "1",
    MEMORY: "By",
    CONTAINER_MEMORY: "By",
    MEMORY_SHARE: "1",
    THREADS: "{thread}",
    FILES: "{file_descriptor}",
    FILES_SHARE: "1",
    CONNECTIONS: "{connection}",
    DISK: "1",
    LAG: "s",
    SINK_LAG: "s",
    SPOOL: "1",
    BUFFER: "1",
}

#: What no gauge of the host's may be named: what begins with one of these, or is in ``UNITS``.
OURS = ("qaprod.", "http.server.")
