"""Warms up when it is imported: for processes that are copied afterwards, so that each copy is warm."""

from contextlib import suppress

from karnak.runtime.warm import warm_up

# On a machine where the executor does not work, instances say so.
with suppress(RuntimeError):
    warm_up()
