"""The application that uvicorn serves: `uvicorn api.app:app`. A wrong setting ends the process with one sentence."""

import logging
import sys

from api.build import build
from models.errors import SettingsError
from models.runtime.facts import set_up_logging
from models.runtime.redis_client import check_kind
from models.runtime.settings import settings

try:
    set_up_logging(settings(), "api")
    check_kind(settings().redis_url)
except SettingsError as _error:
    sys.stderr.write(f"{_error}\n")
    raise SystemExit(2) from None

# uvicorn's lines go where ours go. Its access log is off because it would record query strings, which hold tokens.
for _name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
    _logger = logging.getLogger(_name)
    _logger.handlers.clear()
    _logger.propagate = _name != "uvicorn.access"

app = build()
