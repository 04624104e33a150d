"""The root of Karnak's exceptions; each room derives its own tree from it."""


class KarnakError(Exception):
    """Something that a person has to act on; the message says what and never holds a patient's value."""
