"""Checks that a model file is refused in one line, and that nothing else happens."""

import sys
import tracemalloc

import pytest

import gazelle
from gazelle.errors import ModelFileError

_events: list[tuple[str, object]] | None = None


def _hook(event, arguments):
    watched = ("import", "exec", "marshal.loads", "pickle.find_class", "socket.connect")
    if _events is not None and event in (*watched, "subprocess.Popen", "os.system", "open"):
        _events.append((event, arguments[0] if arguments else None))


sys.addaudithook(_hook)


def refusal(content, tmp_path, code, name="bad.keras"):
    """The message of the error that a file must raise; nothing else may happen."""
    global _events
    path = tmp_path / name
    path.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    settings = gazelle.config.floatx(), gazelle.config.backend()
    _events = []
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as caught:
            gazelle.models.load_model(path)
    finally:
        events, _events = _events, None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    error = caught.value
    assert error.code.startswith(code), error
    message = str(error)
    assert len(message) <= 300
    assert message.isprintable()
    assert name in message
    assert all([error.found, error.expected, error.fix])
    others = [argument for event, argument in events if event == "open"]
    assert {str(name) for name in others if str(name).startswith(str(tmp_path))} <= {str(path)}
    assert not [event for event, _ in events if event not in ("open", "import", "exec")]
    assert peak < 300e6
    assert sorted(tmp_path.rglob("*")) == before
    assert (gazelle.config.floatx(), gazelle.config.backend()) == settings
    return message
