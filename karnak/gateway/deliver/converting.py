"""A destination that gets instances in one transfer syntax only, however they are encoded.

What can't be brought into it is refused by itself; the others go on.
"""

from collections.abc import Sequence

from karnak.gateway.deliver.conversion import ConversionError, convert, forms, no_form
from karnak.gateway.deliver.parcel import Answer, Destination, Parcel, Refused


class Converting:
    """Brings instances into a transfer syntax on their way to a destination.

    Args:
        destination: where they go.
        transfer_syntax_uid: one of conversion.TARGETS.
    """

    def __init__(self, destination: Destination, transfer_syntax_uid: str) -> None:
        self.destination = destination
        self.transfer_syntax_uid = transfer_syntax_uid

    def __str__(self) -> str:
        return str(self.destination)

    @property
    def at_once(self) -> int:
        """How many parcels one call takes."""
        return self.destination.at_once

    @property
    def parallel(self) -> int:
        """How many calls may run at once."""
        return self.destination.parallel

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Convert parcels and hand them over.

        Raises:
            DeliveryError: the destination can't be reached, or takes nothing.
        """
        made = [self._converted(parcel) for parcel in parcels]
        converted = [one for one in made if isinstance(one, Parcel)]
        answers = iter(self.destination.deliver(converted) if converted else ())
        return [one if isinstance(one, Refused) else next(answers) for one in made]

    def close(self) -> None:
        """Let go of connections."""
        self.destination.close()

    def _converted(self, parcel: Parcel) -> Parcel | Refused:
        if not forms(parcel.transfer_syntax_uid, self.transfer_syntax_uid):
            return Refused(no_form(parcel.transfer_syntax_uid, self.transfer_syntax_uid))
        try:
            return convert(parcel, self.transfer_syntax_uid)
        except ConversionError as error:
            return Refused(str(error))
