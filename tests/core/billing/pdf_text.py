"""What a PDF of ours says: its text by the maps to Unicode that its fonts carry."""

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\s*(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|[\d.]+ ([\d.]+) (Td|Tm)|\(((?:\\.|[^\\)])*)\) ?Tj", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pdf_text(pdf: bytes) -> str:
    """One line for each height on the page, from top to bottom as it was written."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    maps = {
        name: _unicode(objects, int(number))
        for body in objects.values()
        for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", body)
    }
    lines: list[list[str]] = []
    for body in objects.values():
        content = _inflated(body)
        if b" Tj" in content:
            lines += _lines(content, maps)
    return "\n".join(" ".join("".join(line).split()) for line in lines)


def _lines(content: bytes, maps: dict[bytes, dict[int, str]]) -> list[list[str]]:
    lines: list[list[str]] = []
    font, height = b"", b""
    for named, at, moved, shown in _SHOWN.findall(content):
        if named:
            font = named
        elif at:
            if at != height:
                lines.append([])
            elif moved == b"Td" and lines[-1]:  # a new cell; Tm only moves a letter closer
                lines[-1].append(" ")
            height = at
        else:
            codes = _bytes(shown)
            lines[-1].append(
                "".join(
                    maps[font].get(int.from_bytes(codes[n : n + 2], "big"), "?")
                    for n in range(0, len(codes), 2)
                )
            )
    return lines


def _unicode(objects: dict[int, bytes], number: int) -> dict[int, str]:
    found = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
    if found is None:
        return {}
    table = _inflated(objects[int(found[1])])
    pairs = re.findall(rb"^<([0-9A-Fa-f]+)> <([0-9A-Fa-f]+)>\s*$", table, re.MULTILINE)
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}


def _inflated(body: bytes) -> bytes:
    found = _STREAM.search(body)
    if found is None:
        return b""
    return zlib.decompress(found[1]) if b"FlateDecode" in body else found[1]


def _bytes(shown: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), shown, flags=re.DOTALL)
