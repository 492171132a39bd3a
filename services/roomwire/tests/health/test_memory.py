"""The memory that the system allows, from the files in which the kernel says so, and what is used of it."""

import os

import psutil
import pytest

from roomwire.health.memory import MemoryUse, memory_limit, release_free_memory

PAGE = os.sysconf("SC_PAGE_SIZE")

NOTHING_V1 = str(2**63 - PAGE)


@pytest.fixture
def root(tmp_path):
    """A file system; a function writes its files."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"sys/fs/cgroup/memory.max": "536870912\n"}, 536870912, id="v2 in a container"),
        pytest.param({"sys/fs/cgroup/memory.max": "max\n"}, None, id="v2 without a limit"),
        pytest.param({}, None, id="no files"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/pod/container\n",
                "sys/fs/cgroup/pod/memory.max": "300\n",
                "sys/fs/cgroup/pod/container/memory.max": "400\n",
            },
            300,
            id="v2 of a group around it",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/../../of/the/host\n", "sys/fs/cgroup/memory.max": "500\n"},
            500,
            id="v2 with a path of the host",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/a\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "700\n",
            },
            700,
            id="v1 in a container",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "9:cpu,memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "800\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{NOTHING_V1}\n",
            },
            800,
            id="v1 of its own group",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{NOTHING_V1}\n",
            },
            None,
            id="v1 without a limit",
        ),
        pytest.param({"proc/self/cgroup": "nonsense\n::\n"}, None, id="what is no table of groups"),
    ],
)
def test_the_limit_is_the_smallest_of_the_groups_that_the_process_is_in(root, files, expected):
    assert expected == memory_limit(root(**{"proc/self/cgroup": "0::/\n", **files}))


def test_the_use_is_the_resident_memory_and_that_of_the_sockets_of_a_limited_group(root):
    statm = {"proc/self/statm": "900 7 3 1 0 2 0\n"}
    assert 7 * PAGE == MemoryUse(root(**statm)).bytes()
    stat = {"sys/fs/cgroup/memory.stat": "anon 5\nsock 4096\nsocket 9\n"}
    assert 7 * PAGE == MemoryUse(root(**statm, **stat)).bytes()
    unlimited = {"sys/fs/cgroup/memory.max": "max\n"}
    assert 7 * PAGE == MemoryUse(root(**statm, **stat, **unlimited)).bytes()
    limited = {"sys/fs/cgroup/memory.max": "536870912\n"}
    assert 7 * PAGE + 4096 == MemoryUse(root(**statm, **stat, **limited)).bytes()


def test_where_it_cannot_be_measured_it_is_not_known(root):
    assert None is MemoryUse(root()).bytes()


def test_the_use_of_this_process_is_what_the_system_says():
    measured = MemoryUse().bytes()
    assert measured is None or psutil.Process().memory_info().rss / 2 < measured


def test_free_memory_can_be_returned_where_the_c_library_can_and_elsewhere_nothing_happens():
    release_free_memory()
