"""Run one target under atheris: python -m tests.fuzz.run TARGET [libFuzzer options] FOLDER.

With NUMBA_DISABLE_JIT=1 the executor runs as Python, and its branches guide the mutations. Compiled, with
NUMBA_BOUNDSCHECK=1, every read and write outside of an array raises; then the inputs come from the folder that the
first kind of run has filled. `scripts/fuzz` does one after the other.
"""

import logging
import os
import sys
import warnings

import atheris

# What numba compiles must not be instrumented; as Python, it is what is looked at.
_COMPILED = [f"karnak.runtime.{name}" for name in ("scan", "plan", "assemble", "table")]
_JUDGES = ["pydicom", "numpy", "numba", "llvmlite", "hypothesis", "tests", "lark", "yaml", "pydantic"]


def main() -> None:
    """Fuzz until libFuzzer's own limits end the process."""
    as_python = os.environ.get("NUMBA_DISABLE_JIT") == "1"
    excluded = _JUDGES if as_python else [*_JUDGES, *_COMPILED]
    with atheris.instrument_imports(include=["karnak.runtime", "karnak.ir"], exclude=excluded):
        from tests.fuzz.targets import TARGETS
    warnings.simplefilter("ignore")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    target = TARGETS[sys.argv[1]]
    # Hashes are multiplied past 64 bits on purpose; numbers of numpy warn of it, compiled ones do not.
    import numpy as np

    np.seterr(all="ignore")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
