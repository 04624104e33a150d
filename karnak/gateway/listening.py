"""Ports that can't be listened on, in words that say what to do."""

import errno
import os

from karnak.errors import KarnakError


class PortTaken(KarnakError):
    """The port can't be listened on."""


def port_taken(section: str, host: str, port: int, error: OSError) -> PortTaken:
    """Say why a port can't be listened on.

    Args:
        section: of the configuration that names it.
        host: address.
        port: TCP port.
        error: what the system says.
    """
    number = error.errno or 0
    advice = {
        errno.EADDRINUSE: f"another program listens there: end it, or give `{section}` another `port`",
        errno.EACCES: f"ports below 1024 are not for everyone: give `{section}` another `port`, or Karnak the right",
        errno.EADDRNOTAVAIL: f"it is no address of this machine: mend `host` of `{section}`",
    }.get(number, f"look at `{section}` of the configuration")
    # What the system says; Python adds the address, which is said already.
    words = os.strerror(number) if number > 0 else error.strerror or type(error).__name__
    return PortTaken(f"can't listen on {host} port {port}: {words}; {advice}")
