"""The version of Karnak, in one place."""

VERSION = "0.1.0"
