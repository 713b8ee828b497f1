"""What the calls of one process share; made when it starts, given to each call as a dependency."""

from dataclasses import dataclass, field

from starlette.requests import Request

from api.catalogue import Catalogue
from api.http.fair_use import FairUse
from api.streams.hub import Hub
from models.runtime.bus import Bus
from models.runtime.settings import Settings


@dataclass(frozen=True)
class Resources:
    """The settings, the way out to the bus, the streams, the turns of searches, and the agents that are known."""

    settings: Settings
    bus: Bus
    hub: Hub
    fair_use: FairUse
    catalogue: Catalogue = field(default_factory=Catalogue)


def resources(request: Request) -> Resources:
    """Give the process's resources."""
    found = request.app.state.resources
    assert isinstance(found, Resources)
    return found
