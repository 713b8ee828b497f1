"""Agent hosts: the child processes in which agent code lives."""

from executor.hosts.host import Host
from executor.hosts.pool import HostPool

__all__ = ["Host", "HostPool"]
