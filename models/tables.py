"""All tables, which register themselves where `SQLModel.metadata` is used: migrations, and tests of these."""

from models.agent import Agent
from models.api_key import ApiKey
from models.bulk import Bulk
from models.delivery import Delivery
from models.event import Event
from models.expiry import Expiry
from models.firing import Firing
from models.grant import Grant
from models.held import Held
from models.idempotency import Idempotency
from models.label import Label
from models.log import Log
from models.outbox import Outbox
from models.payload import Payload
from models.place import Place
from models.place_change import PlaceChange
from models.provider import Provider
from models.queue import Queue
from models.rate_slot import RateSlot
from models.run import Run
from models.schedule import Schedule
from models.signal import Signal
from models.step import Step
from models.tenant_share import TenantShare
from models.tenant_tag import TenantTag
from models.turn import Turn
from models.virtual_time import VirtualTime
from models.wait import Wait
from models.webhook import Webhook
from models.window import Window
from models.window_change import WindowChange
from models.worker import Worker

__all__ = [
    "Agent", "ApiKey", "Bulk", "Delivery", "Event", "Expiry", "Firing", "Grant", "Held", "Idempotency", "Label",
    "Log", "Outbox", "Payload", "Place", "PlaceChange", "Provider", "Queue", "RateSlot", "Run", "Schedule", "Signal",
    "Step", "TenantShare", "TenantTag", "Turn", "VirtualTime", "Wait", "Webhook", "Window", "WindowChange", "Worker",
]  # fmt: skip
