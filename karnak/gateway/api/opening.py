"""The API's server, made from the configuration."""

from karnak.gateway.api.app import make_api
from karnak.gateway.api.guard import check_protected
from karnak.gateway.api.house import House
from karnak.gateway.api.server import HttpServer, listen_for
from karnak.gateway.bearer import Token
from karnak.gateway.house_plan import ApiPlan
from karnak.gateway.journal import Journal


def open_api(plan: ApiPlan, house: House, journal: Journal, drain_timeout: float) -> HttpServer:
    """Make the API's server; it answers once it is started.

    Args:
        plan: where it listens, and who may ask.
        house: the gateway, as the API sees it.
        journal: where errors of its own are written.
        drain_timeout: seconds that requests in work get when it is stopped.

    Raises:
        KarnakError: the port is taken, or other machines could ask without a token.
    """
    token = Token.of("token", plan.token) if plan.token is not None else None
    check_protected(plan.host, token)
    app = make_api(house, token, lambda error: journal.write_error("api failed", error))
    return HttpServer(app, listen_for("api", plan.host, plan.port), drain_timeout)
