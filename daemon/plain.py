"""Dataclasses to plain JSON data and back, by their type hints.

What comes in: frozen dataclasses made of str, int, bool, datetime, timedelta, enums, tuples and further dataclasses.
What goes out: what json.dumps takes. This file alone knows how times and enums are spelt in stored JSON.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

T = TypeVar("T")
_AS_IT_IS = (str, int, float, bool, type(None))


def iso(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """Return the moment as ISO 8601 with the offset of this zone, to the second; None for none."""
    return moment.astimezone(zone).isoformat(timespec="seconds") if moment else None


def to_plain(value: Any) -> Any:
    """Return plain JSON data for `value`: times as ISO 8601, durations as seconds, enums as their value."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _AS_IT_IS):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (tuple, list, frozenset)):
        return [to_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}


def from_plain(cls: type[T], data: dict[str, Any]) -> T:
    """Return the dataclass that `to_plain` was given; keys that the class no longer has are left out."""
    readers = _readers(cls)  # type: ignore[arg-type]  # a class is hashable
    return cls(**{name: readers[name](value) for name, value in data.items() if name in readers})


@cache
def _readers(cls: type) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(cls)
    return {f.name: _reader(hints[f.name]) for f in fields(cls)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        inner = _reader(next(a for a in get_args(hint) if a is not type(None)))
        return lambda v: None if v is None else inner(v)
    if origin is tuple:
        return _tuple_reader(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if hint is datetime:
        return datetime.fromisoformat
    if hint is timedelta:
        return lambda v: timedelta(seconds=v)
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda v: from_plain(hint, v)
    return lambda v: v


def _tuple_reader(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    if args[-1] is Ellipsis:
        inner = _reader(args[0])
        return lambda v: tuple(inner(x) for x in v)
    each = [_reader(a) for a in args]
    return lambda v: tuple(r(x) for r, x in zip(each, v, strict=True))
