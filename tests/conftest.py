"""What all tests share: the option that writes golden files anew, and a log that no test leaves behind changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write tests/golden anew instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that wait for real servers: at the end one worker would wait for them alone."""
    items.sort(key=lambda item: item.get_closest_marker("servers") is None)


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command run by a test sets up the log of the whole process, on a stream that ends with the test."""
    yield
    structlog.reset_defaults()
