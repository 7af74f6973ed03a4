"""What a private RabbitMQ node reads: its environment, its configuration, and few plugins."""

import os
from collections.abc import Iterable
from pathlib import Path

from tests.certificates import ServerCertificate

#: One scheduler that never spins and is not pinned to the first core, as all nodes would be.
_ERL_ARGS = "+S 1:1 +SDio 1 +sbwt none +swt high -kernel inet_dist_use_interface {127,0,0,1}"

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
num_acceptors.tcp = 2
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.absolute = 512MB
log.console = false
log.file.level = warning
"""

_TLS_CONFIGURATION = """\
listeners.ssl.1 = 127.0.0.1:{port}
num_acceptors.ssl = 2
ssl_options.cacertfile = {cafile}
ssl_options.certfile = {certfile}
ssl_options.keyfile = {keyfile}
ssl_options.verify = verify_none
"""

#: Environment variables that would lead a node to somebody else's files or processes.
_FOREIGN = ("RABBITMQ_", "ERL_")

#: What the names of plugins begin with, and the one library by such a name that is none.
_PLUGIN, _NO_PLUGIN = "rabbitmq_", "rabbitmq_prelaunch"


def write_configuration(
    directory: Path, port: int, tls: tuple[int, ServerCertificate] | None, plugins: Iterable[str]
) -> None:
    """Write the files that a node reads.

    Args:
        directory: Where to.
        port: Of the plain AMQP listener.
        tls: Port and certificate of the AMQPS listener, if there shall be one.
        plugins: Names of the plugins to enable.
    """
    configuration = _CONFIGURATION.format(port=port)
    if tls is not None:
        tls_port, certificate = tls
        configuration += _TLS_CONFIGURATION.format(
            port=tls_port,
            cafile=certificate.cafile,
            certfile=certificate.certfile,
            keyfile=certificate.keyfile,
        )
    (directory / "rabbitmq.conf").write_text(configuration)
    (directory / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
    (directory / "rabbitmq-env.conf").touch()
    (directory / ".erlang.cookie").write_text(os.urandom(16).hex())
    (directory / ".erlang.cookie").chmod(0o400)


def without_plugins(directory: Path, server: str) -> dict[str, str]:
    """Let a node find RabbitMQ, but none of its plugins.

    Erlang looks for each of a thousand modules in the directories of all libraries, one after the
    other, and most of them are plugins: without these a node starts with half the work.

    Args:
        directory: Gets `rabbitmq`, which looks like the directory where RabbitMQ is installed.
        server: Path of rabbitmq-server.

    Returns:
        What to add to the node's environment; nothing where RabbitMQ is installed in another way.
    """
    installed = Path(server).resolve().parent.parent
    scripts = Path(server).resolve().parent.name
    if not (installed / "plugins").is_dir():
        return {}
    home = directory / "rabbitmq"
    (home / "plugins").mkdir(parents=True)
    for name in (scripts, "escript"):
        (home / name).symlink_to(installed / name)
    for library in (installed / "plugins").iterdir():
        if library.name.startswith(_NO_PLUGIN) or not library.name.startswith(_PLUGIN):
            (home / "plugins" / library.name).symlink_to(library)
    return {"RABBITMQ_SCRIPTS_DIR": str(home / scripts)}


def node_environment(
    directory: Path, name: str, *, port: int, dist_port: int, epmd_port: int
) -> dict[str, str]:
    """Give the environment of a node, its epmd and its rabbitmqctl.

    Args:
        directory: Where all of the node's files are.
        name: The node's name, `x@localhost`.
        port: The TCP port of the AMQP listener.
        dist_port: The TCP port for rabbitmqctl.
        epmd_port: The TCP port of epmd.
    """
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(_FOREIGN) and key != "NOTIFY_SOCKET"
    }
    return inherited | {
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_CRASH_DUMP_SECONDS": "0",
        "RABBITMQ_NODENAME": name,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_CONF_ENV_FILE": f"{directory}/rabbitmq-env.conf",
        "RABBITMQ_CONFIG_FILE": f"{directory}/rabbitmq.conf",
        "RABBITMQ_CONFIG_FILES": f"{directory}/conf.d",
        "RABBITMQ_ADVANCED_CONFIG_FILE": f"{directory}/advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/enabled_plugins",
        "RABBITMQ_GENERATED_CONFIG_DIR": f"{directory}/config",
        "RABBITMQ_SCHEMA_DIR": f"{directory}/schema",
        "RABBITMQ_MNESIA_BASE": f"{directory}/mnesia",
        "RABBITMQ_LOG_BASE": f"{directory}/log",
        "RABBITMQ_PID_FILE": f"{directory}/pid",
        "RABBITMQ_MAX_NUMBER_OF_PROCESSES": "65536",
        "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERL_ARGS,
        "RABBITMQ_CTL_ERL_ARGS": _ERL_ARGS,
    }
