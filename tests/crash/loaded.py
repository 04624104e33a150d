"""What a gateway loads before it starts; imported once, by the process that is forked for each start."""

import karnak.cli.serve
from karnak.runtime.warm import warm_up

__all__ = ["karnak"]

warm_up()
