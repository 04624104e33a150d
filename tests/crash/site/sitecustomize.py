"""Let a blow lie in wait in a receiver: Python imports this file at its start where PYTHONPATH names its folder."""

import json
import os

if "KARNAK_STRIKE" in os.environ:
    from tests.crash.blow import lie_in_wait

    lie_in_wait(json.loads(os.environ["KARNAK_STRIKE"]))
