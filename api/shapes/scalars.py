"""Scalar types of the shapes: ids, times, statuses."""

from typing import Annotated, Literal

from pydantic import Field

Moment = Annotated[str, Field(description="RFC 3339, UTC, milliseconds.", examples=["2026-03-01T09:30:00.125Z"])]
Id = Annotated[str, Field(description="UUIDv7.", examples=["019573a4-6f2b-7c1d-9e00-4b1c5d6e7f80"])]
RunStatus = Literal["QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED", "SUCCESS", "FAILED", "CANCELED"]
Category = Literal["processing", "awaiting", "paused", "terminal"]
