"""What all tests share: how Hypothesis behaves, and that programs can be interrupted."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# Machines that run the tests are slow and busy: time is never a reason to fail.
_calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("default-calm", _calm)
settings.register_profile("ci", _calm, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default-calm")

# A shell that starts the tests in the background has them ignore Ctrl-C, and with them every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what a test hands on as the property "parity": what came of the cases that it counted."""
    reports = (report for found in terminalreporter.stats.values() for report in found)
    texts = {text for report in reports for name, text in getattr(report, "user_properties", ()) if name == "parity"}
    for text in texts:
        terminalreporter.section("parity with the reference engine")
        terminalreporter.write_line(str(text))
