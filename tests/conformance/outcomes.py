"""The plugin of the pytest runs: which of Keras's tests count, and one line per test in a file."""

import inspect
import json
import os
import re
import signal
import unittest.case

import answers_core
import pytest

answers_core.install()
SECONDS = 120  # that a test may take
# What Gazelle does not mean to have.
OUT_OF_SCOPE = re.compile(
    r"quantiz|int4|int8|gptq|awq|float8|lora_int|tf_|_tf|torch|tensorflow|conv|ctc|rnn|lstm|gru|"
    r"attention|ragged|flash|nnx|3d|2d_crop|jit_compile_xla|iou",
    re.IGNORECASE,
)
# Text of a test that looks into private parts: `x._name`, but not `self._helper()`.
PRIVATE = re.compile(r"(?<!\bself)(?<!\bcls)\._(?!_)[a-z]|keras\.src")
MARKERS = ("requires_trainable_backend", "skip_if_backend", "tpu", "multi_device")
ANYTHING = re.compile("")
found: dict[str, tuple[str, str]] = {}
worded_differently: set[str] = set()  # tests in which an error of the right kind had other words
_running = ""


def _accept_other_words() -> None:
    """From now on `assertRaisesRegex` takes an error of the right kind with any text."""
    context = unittest.case._AssertRaisesContext
    leave = context.__exit__

    def left(self, kind, error, traceback):
        pattern = self.expected_regex
        if pattern is not None and error is not None and not pattern.search(str(error)):
            self.expected_regex = ANYTHING
            worded_differently.add(_running)
        return leave(self, kind, error, traceback)

    context.__exit__ = left


def _counts(item):
    if OUT_OF_SCOPE.search(item.nodeid.split("::", 1)[1]):
        return False
    try:
        return not PRIVATE.search(inspect.getsource(inspect.unwrap(item.function)))
    except (OSError, TypeError):
        return True


def _first_line(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr or "").strip()
    return text.splitlines()[0][:220] if text else ""


def _too_late(*_):
    raise TimeoutError(f"the test took more than {SECONDS} s")


def pytest_configure(config):
    _accept_other_words()
    for name in MARKERS:
        config.addinivalue_line("markers", name)


def pytest_collection_modifyitems(items):
    items[:] = filter(_counts, items)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    global _running
    _running = item.nodeid
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        why = _first_line(report) if report.failed else ""
        if report.nodeid not in found or report.outcome != "passed":
            found[report.nodeid] = report.outcome, why


def pytest_collectreport(report):
    if report.failed:
        last = [line for line in str(report.longrepr).splitlines() if line.strip()][-1]
        found[report.nodeid] = "failed", last[:220]


def pytest_sessionfinish():
    with open(os.environ["CONFORMANCE_OUT"], "a", encoding="utf-8") as file:
        for name, (outcome, why) in found.items():
            if outcome == "passed" and name in worded_differently:
                outcome = "worded differently"
            file.write(json.dumps([name, outcome, why]) + "\n")
