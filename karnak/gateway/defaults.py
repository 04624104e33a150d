"""The configuration that holds where a person gives none: take from anyone, de-identify, write to a folder.

It listens on this machine only. It is written as any other configuration is, so that it can
be printed, copied and changed.
"""

import json
from collections.abc import Callable
from pathlib import Path

from karnak.dsl.nodes import Source
from karnak.gateway.projects import keep_secret
from karnak.resources import shipped_profile

AE_TITLE = "KARNAK"
_NAME = "built-in configuration"
_DATA, _OUT = "data", "out"
_TEXT = """\
listen: {{ host: 127.0.0.1, port: 11112 }}
data_dir: {data}
projects:
  - {{ name: DEFAULT, profile: {profile}, secret_file: {secret} }}
forward_nodes:
  - ae_title: {ae_title}
    sources: any
    destinations:
      - {{ name: out, type: folder, path: {out}, project: DEFAULT, mode: deidentify, pseudonym: {{ from: generated }} }}
"""


def default_source(folder: Path, random_bytes: Callable[[int], bytes]) -> Source:
    """Write the built-in configuration, and see to it that its project has a secret.

    Args:
        folder: where `data` and `out` lie.
        random_bytes: gives so many unpredictable bytes, for a secret that is not there yet.

    Raises:
        SecretError: the secret can't be made or read.
        MissingResource: the installation has no basic profile.
    """
    secret = folder / _DATA / "secrets" / "default.hex"
    keep_secret(secret, random_bytes)
    text = _TEXT.format(
        data=_quoted(folder / _DATA),
        profile=_quoted(shipped_profile("basic")),
        secret=_quoted(secret),
        out=_quoted(folder / _OUT),
        ae_title=AE_TITLE,
    )
    return Source(_NAME, text)


def _quoted(path: Path) -> str:
    # A JSON string is a YAML string too.
    return json.dumps(str(path))
