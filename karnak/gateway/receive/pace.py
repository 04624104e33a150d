"""Whether a sender that is in the middle of something goes on fast enough: one that drips bytes is as good as silent.

Counted is the time in which the sender was waited for, not the time that the disk took.
"""


class Pace:
    """Judges a sender each time when it was waited for as long as it may be silent.

    Args:
        minimum_rate: bytes per second that it has to send, 0 for any.
        seconds: of waiting between two judgements.
    """

    __slots__ = ("_came", "_least", "_seconds", "_waited")

    def __init__(self, minimum_rate: float, seconds: float) -> None:
        self._seconds = seconds
        self._least = minimum_rate * seconds
        self._came = 0
        self._waited = 0.0

    def restart(self) -> None:
        """Something new begins: its sender had nothing to send before."""
        self._came = 0
        self._waited = 0.0

    def goes_on(self, count: int, waited: float) -> bool:
        """Take note of bytes that have come.

        Args:
            count: how many.
            waited: seconds that they were waited for.

        Returns:
            False when the sender is too slow.
        """
        self._came += count
        self._waited += waited
        if self._waited < self._seconds:
            return True
        enough = self._came >= self._least
        self.restart()
        return enough
