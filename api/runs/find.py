"""Lookup of a caller's run by the id in the address. Another tenant's run is reported as missing."""

from uuid import UUID

from sqlmodel import Session, select

from api.http.problems import run_not_found
from models.tables.run import Run


def parse_run_id(text: str) -> UUID:
    """Return a run id in its canonical spelling; raises Problem `run_not_found` for anything else."""
    try:
        value = UUID(text)
    except ValueError:
        raise run_not_found() from None
    if str(value) != text.lower():
        raise run_not_found()
    return value


def find_run(session: Session, tenant: str, run: UUID) -> Run:
    """Return the run; raises Problem `run_not_found` if this tenant has no run with the id."""
    found = session.exec(select(Run).where(Run.id == run, Run.tenant == tenant)).first()
    if found is None:
        raise run_not_found()
    return found
