"""Resources that all calls of a process share: made at start-up, passed to each call as a dependency."""

from dataclasses import dataclass, field

from starlette.requests import Request

from api.catalogue import Catalogue
from api.http.fair_use import FairUse
from api.streams.hub import Hub
from models.runtime.bus import Bus
from models.runtime.settings import Settings


@dataclass(frozen=True)
class Resources:
    """The settings, the event bus, the open streams, the turns of reads and searches, and the known agents."""

    settings: Settings
    bus: Bus
    hub: Hub
    fair_use: FairUse
    catalogue: Catalogue = field(default_factory=Catalogue)


def resources(request: Request) -> Resources:
    """Return the resources of the process."""
    found = request.app.state.resources
    assert isinstance(found, Resources)
    return found
