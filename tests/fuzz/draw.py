"""Draw cases for both executors until time is up: python -m tests.fuzz.draw SECONDS [FIRST SEED]."""

import sys
import time
from random import Random

from tests.property.dense import damaged
from tests.property.executors import agree, around, asking, drawn


def main() -> None:
    """Print how many cases there were and what became of them; stop at the first on which the executors differ."""
    seconds = float(sys.argv[1])
    seed = first = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        random = Random(seed)
        case = drawn(random) if seed % 3 else asking(random)
        if seed % 4 == 0:
            case = around(random, damaged(random, case.data, first=132), case.profile)
        try:
            agree(case)
        except AssertionError:
            sys.stdout.write(f"seed {seed}\n")
            raise
        seed += 1
    sys.stdout.write(f"{seed - first} cases from seed {first}: both executors agree\n")


if __name__ == "__main__":
    main()
