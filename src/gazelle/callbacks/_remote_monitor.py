"""RemoteMonitor: sends the logs of every epoch to a server."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle.callbacks._base import Callback, Logs

SECONDS = 10.0  # to wait for an answer


class RemoteMonitor(Callback):
    """Sends the logs of every epoch to a server, with HTTP POST.

    What is sent is a JSON object with `epoch` (counted from 0) and the logs; a number that is not
    finite is `null`. A server that does not answer within ten seconds, or refuses, is a warning,
    and training goes on.

    Args:
        root: The address of the server.
        path: The path after `root`.
        field: The name of the form's field that holds the JSON, unless `send_as_json`.
        headers: Headers to add to the request, by name.
        send_as_json: Send the JSON as the request's body and not in a form.

    Raises:
        ArgumentError: `root` is not an address of http or https.
    """

    _only_reads_logs = True
    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ):
        if not root.startswith(("http://", "https://")):
            raise ArgumentError(
                "RemoteMonitor sends to a server.",
                expected='root="http://..." or "https://..."',
                received=repr(root),
            )
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Send the epoch's logs."""
        import http.client
        import urllib.error
        import urllib.request

        request = urllib.request.Request(self.root + self.path, method="POST")
        sent = {name: _plain(value) for name, value in (logs or {}).items()}
        request.data, kind = self._body({"epoch": epoch, **sent})
        request.add_header("Content-Type", kind)
        for name, value in (self.headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                pass
        except urllib.error.HTTPError as error:
            self._warn(f"the RemoteMonitor root server at {self.root} answers {error.code}", error)
        except (OSError, http.client.HTTPException) as error:
            self._warn(f"Could not reach RemoteMonitor root server at {self.root}", error)

    def _body(self, sent: dict[str, Any]) -> tuple[bytes, str]:
        """The body of a request, and its content type."""
        from urllib.parse import urlencode

        text = json.dumps(sent)
        if self.send_as_json:
            return text.encode(), "application/json"
        return urlencode({self.field: text}).encode(), "application/x-www-form-urlencoded"

    def _warn(self, problem: str, error: Exception) -> None:
        reason = getattr(error, "reason", None) or error
        warnings.warn(f"{problem} ({reason}); training goes on.", stacklevel=3)


def _plain(value: Any) -> Any:
    """A value of the logs for JSON."""
    if isinstance(value, str) or value is None:
        return value
    plain = np.asarray(value)
    if plain.size == 1:
        number = plain.item()
        return None if isinstance(number, float) and not math.isfinite(number) else number
    return [_plain(one) for one in plain]
