"""Ports for what is about to listen: no two processes that ask are given the same."""

import json
import socket
import subprocess
import sys

import pytest

from roomwire_local.free_ports import BLOCK_PORTS, FIRST_PORT, HOST, NoFreePorts, free_port, free_ports

SYSTEMS_OWN_FROM = 32_768
BUS_ABOVE = 10_000


def ports_of_another_process(count):
    script = f"from roomwire_local.free_ports import free_port; print([free_port() for _ in range({count})])"
    return json.loads(subprocess.check_output([sys.executable, "-c", script]))


def test_no_port_is_given_to_two_processes():
    ours = {free_port() for _ in range(BLOCK_PORTS)}

    assert set() == ours & set(ports_of_another_process(BLOCK_PORTS))


def test_a_port_that_was_given_out_comes_last():
    first = free_port()

    assert first not in [free_port() for _ in range(BLOCK_PORTS // 2)]


def test_a_port_that_is_listened_on_is_not_given_out():
    with socket.create_server((HOST, free_port())) as taken:
        assert taken.getsockname()[1] not in [free_port() for _ in range(2 * BLOCK_PORTS)]


def test_several_stand_in_a_row():
    first, second, third = free_ports(3)

    assert (first + 1, first + 2) == (second, third)


def test_they_stand_below_those_that_connections_are_given_and_so_do_those_of_a_clusters_bus():
    ports = [free_port() for _ in range(BLOCK_PORTS)]

    assert FIRST_PORT <= min(ports)
    assert max(ports) + BUS_ABOVE < SYSTEMS_OWN_FROM


def test_a_row_longer_than_a_block_is_refused():
    with pytest.raises(NoFreePorts):
        free_ports(BLOCK_PORTS)
