"""Limits and use of a container are read right from both versions of control groups, as files show them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_qaprod.gauges import cgroups
from django_qaprod.gauges.cgroups import Container

MiB = 1024 * 1024
#: Of version 1 a group without a limit says the largest number of pages.
NO_LIMIT = 9_223_372_036_854_771_712
V1_LINES = "11:memory:{path}\n4:cpu,cpuacct:{path}\n1:name=systemd:{path}\n0::/\n"


class Machine:
    """Files as the kernel of a machine shows them, below a directory. 16 GiB, a quarter of them used."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write(
            "proc/meminfo",
            f"MemTotal: {16 * 1024 * 1024} kB\nMemFree: 1 kB\nMemAvailable: {12 * 1024 * 1024} kB\n",
        )
        self.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 2 3\n")

    def write(self, path: str, text: object) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}")

    def group(self, path: str, **files: object) -> None:
        """Write the files of a group; ``memory_max`` is ``memory.max``."""
        for name, text in files.items():
            controller, _, rest = name.partition("_")
            self.write(f"sys/fs/cgroup/{path}/{controller}.{rest}", f"{text}\n")

    def container(self) -> Container:
        return Container(self.root)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(cgroups.os, "sched_getaffinity", lambda pid: set(range(8)))
    return Machine(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by ``monotonic``, which a test sets."""
    now = [1000.0]
    monkeypatch.setattr(cgroups, "monotonic", lambda: now[0])
    return now


def stat(inactive: int) -> str:
    return f"anon 1\nactive_file 5\ninactive_file {inactive}\nslab 3\ntotal_inactive_file {inactive}"


class TestVersion2:
    """A container that sees its own group as the root, as with a namespace of its own."""

    @pytest.fixture(autouse=True)
    def _own(self, machine: Machine) -> None:
        machine.write("proc/self/cgroup", "0::/\n")

    def test_memory_is_a_share_of_its_limit_without_the_cache(self, machine: Machine) -> None:
        machine.group(".", memory_current=300 * MiB, memory_max=400 * MiB, memory_stat=stat(100 * MiB))
        assert machine.container().memory() == (300 * MiB, 0.5)

    def test_without_a_limit_it_is_a_share_of_the_machine(self, machine: Machine) -> None:
        machine.group(".", memory_current=300 * MiB, memory_max="max", memory_stat=stat(0))
        assert machine.container().memory() == (300 * MiB, 0.25)

    def test_a_limit_beyond_the_machine_is_none(self, machine: Machine) -> None:
        machine.group(".", memory_current=300 * MiB, memory_max=64 * 1024 * MiB)
        assert machine.container().memory().share == 0.25

    def test_cpu_is_a_share_of_its_quota(self, machine: Machine, clock: list[float]) -> None:
        machine.group(".", cpu_max="150000 100000", cpu_stat="usage_usec 5000000\nuser_usec 1\n")
        container = machine.container()
        assert container.processors() == 1.5
        assert container.cpu_share() is None, "the first look"
        clock[0] += 10
        machine.group(".", cpu_stat="usage_usec 11000000\nuser_usec 1\n")
        assert container.cpu_share() == pytest.approx(6 / 10 / 1.5)

    def test_without_a_quota_it_is_a_share_of_the_machine(self, machine: Machine) -> None:
        machine.group(".", cpu_max="max 100000", cpu_stat="usage_usec 5000000")
        container = machine.container()
        assert container.processors() == 8
        assert container.cpu_share() is None
        machine.write("proc/stat", "cpu  150 0 150 850 50 0 0 0 0 0\n")
        assert container.cpu_share() == 0.5, "idle and waiting for disks is not busy"

    def test_a_quota_beyond_the_machine_is_none(self, machine: Machine) -> None:
        machine.group(".", cpu_max="1600000 100000")
        assert machine.container().processors() == 8

    def test_a_counter_that_was_reset_is_no_negative_share(
        self, machine: Machine, clock: list[float]
    ) -> None:
        machine.group(".", cpu_max="100000 100000", cpu_stat="usage_usec 5000000")
        container = machine.container()
        container.cpu_share()
        clock[0] += 10
        machine.group(".", cpu_stat="usage_usec 1000")
        assert container.cpu_share() == 0.0

    def test_a_limit_that_changes_is_noticed(self, machine: Machine, clock: list[float]) -> None:
        machine.group(".", memory_current=100 * MiB, memory_max=200 * MiB)
        container = machine.container()
        assert container.memory().share == 0.5
        machine.group(".", memory_max=400 * MiB)
        clock[0] += cgroups.LIMITS_FOR + 1
        assert container.memory().share == 0.25


class TestNested:
    def test_the_group_that_is_nearest_to_its_limit_counts(self, machine: Machine) -> None:
        machine.write("proc/self/cgroup", "0::/pod/app\n")
        machine.group("pod/app", memory_current=100 * MiB, memory_max=400 * MiB, cpu_max="max 100000")
        machine.group("pod", memory_current=450 * MiB, memory_max=500 * MiB, cpu_max="200000 100000")
        container = machine.container()
        assert container.memory() == (100 * MiB, 0.9)
        assert container.processors() == 2

    def test_the_busiest_quota_counts(self, machine: Machine, clock: list[float]) -> None:
        machine.write("proc/self/cgroup", "0::/pod/app\n")
        machine.group("pod/app", cpu_max="100000 100000", cpu_stat="usage_usec 0")
        machine.group("pod", cpu_max="400000 100000", cpu_stat="usage_usec 0")
        container = machine.container()
        container.cpu_share()
        clock[0] += 10
        machine.group("pod/app", cpu_stat="usage_usec 2000000")
        machine.group("pod", cpu_stat="usage_usec 36000000")
        assert container.cpu_share() == pytest.approx(0.9)

    def test_a_group_without_the_controller_is_passed_over(self, machine: Machine) -> None:
        machine.write("proc/self/cgroup", "0::/user.slice/session\n")
        machine.group("user.slice/session", cgroup_procs="1")
        machine.group("user.slice", memory_current=50 * MiB, memory_max=100 * MiB)
        assert machine.container().memory() == (50 * MiB, 0.5)

    def test_a_path_that_is_not_mounted_leads_to_what_is(self, machine: Machine) -> None:
        machine.write("proc/self/cgroup", "0::/docker/0123456789abcdef\n")
        machine.group(".", memory_current=50 * MiB, memory_max=100 * MiB)
        assert machine.container().memory() == (50 * MiB, 0.5)

    def test_a_path_outside_of_the_namespace_leads_to_what_is_mounted(self, machine: Machine) -> None:
        machine.write("proc/self/cgroup", "0::/../../etc\n")
        machine.group(".", memory_current=50 * MiB, memory_max=100 * MiB)
        machine.write("etc/memory.max", "1")
        assert machine.container().memory() == (50 * MiB, 0.5)


class TestVersion1:
    def test_memory_and_cpu(self, machine: Machine, clock: list[float]) -> None:
        machine.write("proc/self/cgroup", V1_LINES.format(path="/docker/abc"))
        machine.group(
            "memory/docker/abc",
            memory_usage_in_bytes=300 * MiB,
            memory_limit_in_bytes=400 * MiB,
            memory_stat=stat(100 * MiB),
        )
        machine.group(
            "cpu,cpuacct/docker/abc", cpu_cfs_quota_us=50_000, cpu_cfs_period_us=100_000, cpuacct_usage=0
        )
        container = machine.container()
        assert container.memory() == (300 * MiB, 0.5)
        assert container.processors() == 0.5
        container.cpu_share()
        clock[0] += 10
        machine.group("cpu,cpuacct/docker/abc", cpuacct_usage=1_000_000_000)
        assert container.cpu_share() == pytest.approx(1 / 10 / 0.5)

    def test_time_is_counted_by_a_controller_of_its_own(self, machine: Machine, clock: list[float]) -> None:
        machine.write("proc/self/cgroup", "2:cpuacct:/x\n1:cpu:/x\n")
        machine.group("cpu/x", cpu_cfs_quota_us=100_000, cpu_cfs_period_us=100_000)
        machine.group("cpuacct/x", cpuacct_usage=0)
        container = machine.container()
        container.cpu_share()
        clock[0] += 10
        machine.group("cpuacct/x", cpuacct_usage=5_000_000_000)
        assert container.cpu_share() == pytest.approx(0.5)

    def test_without_limits_the_machine_counts(self, machine: Machine) -> None:
        machine.write("proc/self/cgroup", V1_LINES.format(path="/"))
        machine.group("memory", memory_usage_in_bytes=300 * MiB, memory_limit_in_bytes=NO_LIMIT)
        machine.group("cpu,cpuacct", cpu_cfs_quota_us=-1, cpu_cfs_period_us=100_000, cpuacct_usage=5)
        container = machine.container()
        assert container.memory() == (300 * MiB, 0.25)
        assert container.processors() == 8

    def test_a_path_of_the_machine_leads_to_what_is_mounted(self, machine: Machine) -> None:
        """As in a container of Docker's without a namespace of its own."""
        machine.write("proc/self/cgroup", V1_LINES.format(path="/docker/abc"))
        machine.group("memory", memory_usage_in_bytes=50 * MiB, memory_limit_in_bytes=100 * MiB)
        assert machine.container().memory() == (50 * MiB, 0.5)

    def test_beside_version_2_each_controller_is_where_it_is(self, machine: Machine) -> None:
        machine.write("proc/self/cgroup", "3:cpu,cpuacct:/a\n0::/b\n")
        machine.group("b", memory_current=50 * MiB, memory_max=100 * MiB)
        machine.group("cpu,cpuacct/a", cpu_cfs_quota_us=200_000, cpu_cfs_period_us=100_000)
        container = machine.container()
        assert container.memory() == (50 * MiB, 0.5)
        assert container.processors() == 2


def test_a_machine_without_control_groups(machine: Machine) -> None:
    container = machine.container()
    assert container.memory() == (None, 0.25)
    assert container.processors() == 8
    assert container.cpu_share() is None


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    container = Container(tmp_path)
    assert container.memory() == (None, None)
    assert (container.cpu_share(), container.cpu_share()) == (None, None)
    assert container.processors() >= 1


texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["max", "max 100000", "0 0", "100000 100000", "-1", "", "0", "1 2 3", "usage_usec", "9" * 400]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.sampled_from(["memory.max", "memory.current", "memory.stat", "cpu.max", "cpu.stat"]), texts
    ),
    line=texts,
)
def test_whatever_stands_in_the_files_is_no_error(files: dict[str, str], line: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.write("proc/self/cgroup", f"0::/{line}\n{line}:{line}")
    machine.write("proc/meminfo", line)
    machine.write("proc/stat", line)
    for name, text in files.items():
        machine.write(f"sys/fs/cgroup/{name}", text)
    container = machine.container()
    for _ in range(2):
        container.memory()
        container.cpu_share()
        assert container.processors() > 0
