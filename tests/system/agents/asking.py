"""Agents that ask people."""

from __future__ import annotations

from dataclasses import dataclass

from taxiway import Run, agent


@dataclass
class Address:
    street: str
    number: int = 1


@agent
def ship(run: Run, order_id: str) -> list[str | None]:
    """Ask whether and how, then return the choice, its author and the reason."""
    decision = run.approve(f"Ship {order_id}?", details={"order": order_id}, choices=["air", "sea"])
    return [decision.choice, decision.by, decision.comment]


@agent
def where(run: Run) -> str:
    """Ask for an address, then return it in a line."""
    address = run.ask("Where to?", Address)
    return f"{address.street} {address.number}"
