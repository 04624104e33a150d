"""The ways by which instances go out: one file per kind of destination."""
