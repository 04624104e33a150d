"""From `retry` in a configuration to when something is tried again."""

from karnak.gateway.config_destinations import RetryEntry
from karnak.gateway.config_notes import Location, Notes
from karnak.gateway.deliver.backoff import Backoff


def plan_backoff(entry: RetryEntry, at: Location, notes: Notes) -> Backoff:
    """Make of the settings when something is tried again.

    Args:
        entry: the settings.
        at: where they stand, or would stand, in the configuration.
        notes: where to note what is wrong.
    """
    if entry.longest < entry.first:
        notes.add("G212", "`longest` is shorter than `first`", at, "no wait exceeds `longest`")
        return Backoff()
    return Backoff(entry.first, entry.factor, entry.longest)
