"""What damages a file: a few changes, drawn from a seed, so that a find can be made again."""

import re
import struct
import zlib
from random import Random

_EXTREME = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_PNG = b"\x89PNG\r\n\x1a\n"


def mutated(content: bytes, draw: Random) -> bytes:
    """The same bytes with one to four changes: flipped, overwritten, cut, doubled, left out, or a number set to an end
    of its range. Half of the damaged PNGs get checksums that fit, as otherwise no decoder would look further."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        draw.choice((_flip, _overwrite, _cut, _double, _leave_out, _set_number))(changed, draw)
    return _checksums_fit(bytes(changed)) if draw.random() < 0.5 else bytes(changed)


def _flip(content: bytearray, draw: Random) -> None:
    if content:
        content[_place(content, draw)] ^= 1 << draw.randrange(8)


def _overwrite(content: bytearray, draw: Random) -> None:
    start = _place(content, draw)
    content[start : start + 16] = draw.randbytes(len(content[start : start + draw.randint(1, 16)]))


def _cut(content: bytearray, draw: Random) -> None:
    del content[draw.randrange(len(content) + 1) :]


def _double(content: bytearray, draw: Random) -> None:
    start = _place(content, draw)
    part = content[start : start + draw.randint(1, 64)]
    content[start:start] = part * draw.choice((1, 1, 200))


def _leave_out(content: bytearray, draw: Random) -> None:
    start = _place(content, draw)
    del content[start : start + draw.randint(1, 64)]


def _set_number(content: bytearray, draw: Random) -> None:
    start, form = _place(content, draw), draw.choice((">I", "<I", ">H", "<H"))
    size = struct.calcsize(form)
    if start + size <= len(content):
        content[start : start + size] = struct.pack(form, draw.choice(_EXTREME) & (256**size - 1))


def _place(content: bytearray, draw: Random) -> int:
    """Anywhere, but half of the time in the first bytes, where headers are."""
    end = min(len(content), 64) if draw.random() < 0.5 else len(content)
    return draw.randrange(end) if end else 0


def _checksums_fit(content: bytes) -> bytes:
    if not content.startswith(_PNG):
        return content
    place, parts = len(_PNG), [_PNG]
    while place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        if place + 12 + length > len(content):
            break
        chunk = content[place + 4 : place + 8 + length]
        parts += [content[place : place + 4], chunk, struct.pack(">I", zlib.crc32(chunk))]
        place += 12 + length
    return b"".join([*parts, content[place:]])


_HOSTILE = (
    b"\0", b"\xff", b"9" * 400, b"1e999", b"-1", b"NaN", b"null", b"[]", b"{}", b'"', b",", b"\n", b"\r",
    b"../../x.png", b"x" * 150_000, b"\xed\xa0\x80", b"true", b"0", b"=1+1", b"\xe2\x80\xae",
)  # fmt: skip


def mutated_text(content: bytes, draw: Random) -> bytes:
    """A table or JSON with one to three of its words replaced by what a reader may stumble over, or damaged bytes."""
    if draw.random() < 0.3:
        return mutated(content, draw)
    for _ in range(draw.choice((1, 1, 3))):
        words = list(re.finditer(rb"[\w.-]+", content))
        word = draw.choice(words) if words else None
        start, end = word.span() if word else (0, 0)
        content = content[:start] + draw.choice(_HOSTILE) + content[end:]
    return content
