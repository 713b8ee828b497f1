"""E-mail for every question of a run, with the link that decides it. No webhook, no open port.

    SMTP_URL=smtp://127.0.0.1:1025 MAIL_TO=ann@example.com python mail_approvals.py

It reads the tenant's live stream, and the inbox after an interruption: no question is left out, and none is mailed twice
while the program runs. The API key needs the scopes `read` and `decide`; for its sources see `taxiway.Client`.
"""

from __future__ import annotations

import json
import logging
import os
import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from taxiway import Client
from taxiway.client import TaxiwayError

AGAIN_AFTER = 2.0
log = logging.getLogger("mail_approvals")


@dataclass(frozen=True)
class Question:
    """A question of a run, and the link that decides it."""

    wait: str
    prompt: str
    details: Any
    link: str | None


def main() -> None:
    """Listen until Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    mailed: set[str] = set()
    with Client() as client:
        while True:
            try:
                for question in questions(client):
                    if question.wait not in mailed:
                        mail(question)
                        mailed.add(question.wait)
            except (TaxiwayError, OSError, smtplib.SMTPException) as error:
                log.warning("%s; trying again", error)
            time.sleep(AGAIN_AFTER)


def questions(client: Client) -> Iterator[Question]:
    """Yield the open questions, then new ones until the connection ends."""
    with client.listen(status="PAUSED") as events:  # before the inbox is read, so that no question is missed in between
        for view in client.approvals():
            yield Question(view.id, view.prompt, view.details, view.url)
        for event in events:
            if event.type == "run_approval":
                data = event.data
                yield Question(data["waitId"], data["prompt"], data.get("details"), data.get("approvalUrl"))


def mail(question: Question) -> None:
    """Send one e-mail; raise OSError or SMTPException, after which the question is yielded again."""
    message = EmailMessage()
    message["From"] = os.environ.get("MAIL_FROM", "taxiway@localhost")
    message["To"] = os.environ["MAIL_TO"]
    message["Subject"] = " ".join(question.prompt.split())[:200]
    message.set_content(text(question))
    server = urlsplit(os.environ.get("SMTP_URL", "smtp://127.0.0.1:25"))
    with smtplib.SMTP(server.hostname or "127.0.0.1", server.port or 25, timeout=20) as smtp:
        smtp.send_message(message)
    log.info("mailed: %s", question.prompt)


def text(question: Question) -> str:
    """Return the question, its details and its link; opening the link shows the question and decides nothing yet."""
    details = [] if question.details is None else [json.dumps(question.details, indent=2, ensure_ascii=False)]
    where = question.link or f"taxiway approve {question.wait}"
    return "\n\n".join([question.prompt, *details, f"Decide here, once: {where}"]) + "\n"


if __name__ == "__main__":
    main()
