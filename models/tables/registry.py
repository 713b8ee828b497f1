"""All tables, which register themselves where `SQLModel.metadata` is used: migrations, and tests of these."""

from models.tables.agent import Agent
from models.tables.api_key import ApiKey
from models.tables.bulk import Bulk
from models.tables.delivery import Delivery
from models.tables.event import Event
from models.tables.expiry import Expiry
from models.tables.firing import Firing
from models.tables.grant import Grant
from models.tables.held import Held
from models.tables.idempotency import Idempotency
from models.tables.label import Label
from models.tables.log import Log
from models.tables.outbox import Outbox
from models.tables.payload import Payload
from models.tables.place import Place
from models.tables.place_change import PlaceChange
from models.tables.provider import Provider
from models.tables.queue import Queue
from models.tables.rate_slot import RateSlot
from models.tables.run import Run
from models.tables.schedule import Schedule
from models.tables.signal import Signal
from models.tables.step import Step
from models.tables.tenant_share import TenantShare
from models.tables.tenant_tag import TenantTag
from models.tables.turn import Turn
from models.tables.virtual_time import VirtualTime
from models.tables.wait import Wait
from models.tables.webhook import Webhook
from models.tables.window import Window
from models.tables.window_change import WindowChange
from models.tables.worker import Worker

__all__ = [
    "Agent", "ApiKey", "Bulk", "Delivery", "Event", "Expiry", "Firing", "Grant", "Held", "Idempotency", "Label",
    "Log", "Outbox", "Payload", "Place", "PlaceChange", "Provider", "Queue", "RateSlot", "Run", "Schedule", "Signal",
    "Step", "TenantShare", "TenantTag", "Turn", "VirtualTime", "Wait", "Webhook", "Window", "WindowChange", "Worker",
]  # fmt: skip
