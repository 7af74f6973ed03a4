"""RabbitMQ nodes for those servers that need one, or are one."""

import unittest
from collections.abc import Sequence

from benchmarks.measure import on_core
from benchmarks.rivals import Unavailable
from tests.integration.rabbitmq import RabbitMQNode


class BenchNode(RabbitMQNode):
    """A node of its own, with plugins and a configuration of theirs if need be."""

    def __init__(self, plugins: Sequence[str], configuration: str) -> None:
        """Choose ports.

        Args:
            plugins: Those to enable.
            configuration: Lines of rabbitmq.conf.
        """
        super().__init__(plugins=plugins)
        self._configuration = configuration

    def _prepare(self) -> None:
        super()._prepare()
        assert self.directory is not None
        (self.directory / "conf.d").mkdir()
        (self.directory / "conf.d" / "bench.conf").write_text(self._configuration)


def start_node(
    core: int, *, plugins: Sequence[str] = (), configuration: str = ""
) -> tuple[RabbitMQNode, str]:
    """Start a node.

    Args:
        core: That it runs on; it has one scheduler, which never spins.
        plugins: Those to enable.
        configuration: Lines of rabbitmq.conf.

    Returns:
        The node and its version.

    Raises:
        Unavailable: RabbitMQ is not installed.
    """
    try:
        node = BenchNode(plugins, configuration)
    except unittest.SkipTest as error:
        raise Unavailable(str(error)) from None
    with on_core(core):
        node.start()
    try:
        version = node.ctl("version").strip()
    except BaseException:
        node.stop()
        raise
    return node, f"RabbitMQ {version}"


def broker_process(node: RabbitMQNode) -> Sequence[int]:
    """Give the process ids of a running node's broker; epmd and the guard are not of it."""
    return node.pids[-1:]
