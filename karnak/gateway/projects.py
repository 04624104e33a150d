"""Projects' secrets on disk: read with care, made once, never shown.

Whoever has the secret of a project can link its pseudonyms to patients, so a file that
holds one is readable by its owner only, and no message repeats what is in it.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from karnak.runtime.keys import SECRET_BYTES, SecretError, parse_secret

# 32 digits with dashes and spaces between them and a line end; nothing longer can be a secret.
_MAXIMUM_FILE = 1024


def read_secret(path: Path) -> bytes:
    """Read the secret that a file holds as 32 hexadecimal digits.

    Returns:
        16 bytes.

    Raises:
        SecretError: the file can't be read or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAXIMUM_FILE + 1)
    except OSError as error:
        raise SecretError(f"the secret file {path} can't be read: {error.strerror}") from None
    try:
        return parse_secret(text[:_MAXIMUM_FILE].decode("ascii", "replace"))
    except SecretError:
        raise SecretError(f"the secret file {path} does not hold {2 * SECRET_BYTES} hexadecimal digits") from None


def readable_by_others(path: Path) -> bool:
    """Tell whether people who are neither the owner nor in the file's group may read it."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def keep_secret(path: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """Read the secret of a file, or make one there if the file does not exist yet.

    The file appears whole or not at all, with mode 0600 in a folder with mode 0700.

    Args:
        path: the file.
        random_bytes: gives so many unpredictable bytes.

    Raises:
        SecretError: the file can't be written, or what it holds is no secret.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists():
            return read_secret(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(random_bytes(SECRET_BYTES).hex() + "\n")
                file.flush()
                os.fsync(descriptor)
            # A link fails where another process was faster; its secret then is the one to use.
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    except OSError as error:
        raise SecretError(f"the secret file {path} can't be made: {error.strerror}") from None
    return read_secret(path)
