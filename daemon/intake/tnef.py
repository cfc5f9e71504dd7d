"""From Outlook's own wrapping (winmail.dat) to the text and the files inside.

What comes in: the bytes of an application/ms-tnef part. What goes out: a Tnef; what cannot be read is left out, and
`defects` say so. This file alone knows TNEF. Source: [MS-OXTNEF] (the stream), [MS-OXPROPS] (the properties).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from daemon.intake.charset import clean_text, decode_text
from daemon.intake.rtf import read_rich_text

_SIGNATURE = b"\x78\x9f\x3e\x22"
_RENDERING, _TITLE, _DATA, _PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_BODY, _MESSAGE_PROPERTIES, _CODEPAGE = 0x0002800C, 0x00069003, 0x00069007
_PR_BODY, _PR_HTML, _PR_RTF = 0x1000, 0x1013, 0x1009
_PR_NAMES = (0x3707, 0x3704, 0x3001)  # long file name, short one, display name
_PR_CONTENT, _PR_TYPE = 0x3701, 0x370E
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_VARIABLE = frozenset({0x0D, 0x1E, 0x1F, 0x102})
_UNICODE, _OBJECT = 0x1F, 0x0D
_GUID = 16
_MOST = 2000  # attributes of a stream, properties of an attribute


@dataclass(slots=True)
class TnefFile:
    """One file inside; `content_type` is "" where the stream names none."""

    name: str = ""
    content_type: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Tnef:
    """What Outlook wrapped up: `text` and `html` are "" where they are missing."""

    text: str = ""
    html: str = ""
    files: list[TnefFile] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def read_tnef(data: bytes) -> Tnef:
    """Read a TNEF stream; never raises, whatever the bytes."""
    tnef = Tnef()
    if not data.startswith(_SIGNATURE):
        tnef.defects.append("winmail.dat is damaged: not opened")
        return tnef
    charset = "cp1252"
    try:
        for name, value in _attributes(data):
            if name == _CODEPAGE:
                charset = f"cp{struct.unpack_from('<I', value)[0]}"
            else:
                _take(tnef, name, value, charset)
    except (struct.error, IndexError):
        tnef.defects.append("winmail.dat is cut off: only its beginning was read")
    return tnef


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give (name, value) of each attribute: level, name, length, value, checksum."""
    place = len(_SIGNATURE) + 2
    for _ in range(_MOST):
        if place >= len(data):
            return
        _, name, length = struct.unpack_from("<BII", data, place)
        place += 9
        if place + length > len(data):
            raise IndexError
        yield name, data[place : place + length]
        place += length + 2


def _take(tnef: Tnef, name: int, value: bytes, charset: str) -> None:
    if name == _BODY:
        tnef.text = tnef.text or _text(value, charset)
    elif name == _MESSAGE_PROPERTIES:
        _take_message(tnef, dict(_properties(value)), charset)
    elif name == _RENDERING:
        tnef.files.append(TnefFile())
    elif tnef.files and name == _TITLE:
        tnef.files[-1].name = tnef.files[-1].name or _text(value, charset)
    elif tnef.files and name == _DATA:
        tnef.files[-1].content = value
    elif tnef.files and name == _PROPERTIES:
        _take_file(tnef.files[-1], dict(_properties(value)), charset)


def _take_message(tnef: Tnef, found: dict[int, tuple[int, bytes]], charset: str) -> None:
    tnef.text = tnef.text or _string(found, _PR_BODY, charset)
    tnef.html = tnef.html or _string(found, _PR_HTML, charset)
    if _PR_RTF in found and not tnef.text and not tnef.html:
        tnef.text, tnef.html = read_rich_text(found[_PR_RTF][1])
        if not tnef.text and not tnef.html:
            tnef.defects.append("the rich text in winmail.dat is damaged: see the original")


def _take_file(file: TnefFile, found: dict[int, tuple[int, bytes]], charset: str) -> None:
    file.name = next((n for p in _PR_NAMES if (n := _string(found, p, charset))), file.name)
    file.content_type = _string(found, _PR_TYPE, charset) or file.content_type
    kind, content = found.get(_PR_CONTENT, (0, b""))
    if content and not file.content:
        file.content = content[_GUID:] if kind == _OBJECT else content


def _string(found: dict[int, tuple[int, bytes]], name: int, charset: str) -> str:
    kind, value = found.get(name, (0, b""))
    return _text(value, "utf-16-le" if kind == _UNICODE else charset)


def _text(value: bytes, charset: str) -> str:
    text, _ = decode_text(value.rstrip(b"\x00") if charset != "utf-16-le" else value, charset)
    return clean_text(text.rstrip("\x00"))


def _properties(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Give (name, (type, first value)) of each MAPI property."""
    count, place = min(struct.unpack_from("<I", data)[0], _MOST), 4
    for _ in range(count):
        kind, name = struct.unpack_from("<HH", data, place)
        place += 4
        if name & 0x8000:
            place = _after_name(data, place)
        many, kind = kind & 0x1000, kind & 0x0FFF
        values, place = _values(data, place, kind, bool(many))
        if values:
            yield name, (kind, values[0])


def _after_name(data: bytes, place: int) -> int:
    """Skip what names a named property: a GUID, and a number or a padded string."""
    place += _GUID
    by_string, size = struct.unpack_from("<II", data, place)
    return place + 8 + (_padded(size) if by_string else 0)


def _values(data: bytes, place: int, kind: int, many: bool) -> tuple[list[bytes], int]:
    if kind not in _VARIABLE and kind not in _FIXED:
        raise IndexError
    count = 1
    if many or kind in _VARIABLE:
        count = min(struct.unpack_from("<I", data, place)[0], _MOST)
        place += 4
    values = []
    for _ in range(count):
        size = _FIXED.get(kind, 0)
        if kind in _VARIABLE:
            size = struct.unpack_from("<I", data, place)[0]
            place += 4
        if place + size > len(data):
            raise IndexError
        values.append(data[place : place + size])
        place += _padded(size)
    return values, place


def _padded(size: int) -> int:
    return (size + 3) // 4 * 4
