"""The OpenAPI document describes the API, all of it and nothing else."""

from collections.abc import Iterator
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from karnak.gateway.api.app import OPERATIONS, make_api
from karnak.version import VERSION
from tests.gateway.api.conftest import DOCUMENT
from tests.gateway.api.houses import FakeHouse
from tests.gateway.api.schemas import resolve


def test_it_is_served(client: httpx.Client) -> None:
    said = client.get("/api/v1/openapi.json").json()
    assert said == DOCUMENT
    assert (said["openapi"], said["info"]["title"], said["info"]["version"]) == ("3.1.0", "Karnak", VERSION)


def test_it_has_every_route_and_no_other(house: FakeHouse) -> None:
    app = make_api(house, None, lambda error: None)
    assert isinstance(app, Starlette)
    routes = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert routes == described
    assert len(routes) == len(app.routes) == len(OPERATIONS)


def test_names_are_unique_and_everything_is_said(house: FakeHouse) -> None:
    operations = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"].endswith(".")
        assert all(response["description"] for response in one["responses"].values())
        assert all(parameter["description"] for parameter in one.get("parameters", ()))


def test_every_reference_leads_somewhere() -> None:
    references = set(find_references(DOCUMENT))
    assert "#/components/schemas/Problem" in references
    for reference in references:
        assert resolve(reference, DOCUMENT)
    used = {reference.rpartition("/")[2] for reference in references}
    assert used == DOCUMENT["components"]["schemas"].keys()


def find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from find_references(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from find_references(one)


def test_only_probes_need_no_token() -> None:
    without = {path for path, methods in DOCUMENT["paths"].items() for one in methods.values() if one["security"] == []}
    assert without == {"/healthz", "/readyz"}
