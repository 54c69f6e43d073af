"""The bytes of an ONNX file, read without onnx: its record, a digest of what counts, its weights, what it may hold."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY = "sonoseg"
"""The entry of ONNX's ``metadata_props`` that holds the record, as JSON."""

_METADATA = 14
"""Field of ONNX's ModelProto."""


def record(content: bytes) -> Any:
    """Read the record of a model file. Errors: ``ValueError``, ``LookupError`` or ``RecursionError`` without one."""
    entries = (dict(_fields(entry)) for number, entry in _fields(memoryview(content)) if number == _METADATA)
    texts = {str(entry[1], "utf-8"): str(entry[2], "utf-8") for entry in entries}
    return json.loads(texts[KEY])


def seal(content: bytes, told: Mapping[str, Any]) -> bytes:
    """Put the record ``told`` with its ``digest`` into an ONNX file, in the place of all metadata that it had."""
    bare = b"".join(bytes(span) for number, span in _spans(memoryview(content)) if number != _METADATA)
    text = json.dumps(dict(told) | {"digest": digest(bare, told)}, sort_keys=True)
    return bare + _field(_METADATA, _field(1, KEY.encode()) + _field(2, text.encode()))


def digest(content: bytes, told: Mapping[str, Any]) -> str:
    """SHA-256 over the graph, the weights and the record: every byte of the file but the digest itself, hexadecimal.

    The record counts without its ``digest``, as JSON with sorted keys; of the file every field but its metadata.
    """
    found = hashlib.sha256(json.dumps({k: v for k, v in told.items() if k != "digest"}, sort_keys=True).encode())
    for number, span in _spans(memoryview(content)):
        if number != _METADATA:
            found.update(span)
    return found.hexdigest()


def weights(content: bytes) -> dict[str, NDArray[np.float32]]:
    """The initialisers of the graph that are ``float32`` or ``float16``, by name, as ``float32``.

    Errors: ``ValueError`` or ``LookupError``.
    """
    (graph,) = (part for number, part in _fields(memoryview(content)) if number == _GRAPH)
    found = dict[str, NDArray[np.float32]]()
    for tensor in (part for number, part in _fields(graph) if number == _INITIALIZER):
        fields = list(_fields(tensor))
        told = dict(fields)
        if _RAW in told and (kind := _FLOATS.get(bytes(told[_TYPE]))):
            shape = [side for number, part in fields if number == _DIMS for side in _varints(part)]
            found[str(told[_NAME], "utf-8")] = np.frombuffer(told[_RAW], kind).reshape(shape).astype(np.float32)
    return found


def has_external_data(content: bytes) -> bool:
    """Whether a tensor of the file lies in another file. Errors: ``ValueError`` or ``IndexError`` for a damaged one."""
    return _holds(memoryview(content), "model", "tensor", _lies_elsewhere)


def has_loop(content: bytes) -> bool:
    """Whether a node of the file may repeat or choose a part of the graph, which no network here does, and which might
    never end. Errors: as ``has_external_data``."""
    return _holds(memoryview(content), "model", "node", _controls)


_GRAPH, _INITIALIZER = 7, 5
"""Fields of ONNX's ModelProto and GraphProto."""

_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
"""Fields of ONNX's TensorProto."""

_FLOATS = {b"\x01": "<f4", b"\x0a": "<f2"}
"""What stands in the second for float32 and for float16, and how numpy calls it."""

_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Where tensors lie in ONNX's messages, by field number."""

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
"""Fields of ONNX's TensorProto that a tensor in another file has; the second may be there and 0."""


_OP_TYPE, _CONTROL = 4, {b"Loop", b"Scan", b"If"}
"""Field of ONNX's NodeProto, and the operators that have graphs of their own."""


def _holds(message: memoryview, kind: str, wanted: str, rule: Callable[[memoryview], bool]) -> bool:
    """Whether the rule holds for a message of the wanted kind, this one or one inside it."""
    inside = _INSIDE.get(kind, {})
    return (kind == wanted and rule(message)) or any(
        _holds(part, inside[number], wanted, rule) for number, part in _fields(message) if number in inside
    )


def _lies_elsewhere(tensor: memoryview) -> bool:
    return any(number == _EXTERNAL_DATA or (number == _DATA_LOCATION and any(part)) for number, part in _fields(tensor))


def _controls(node: memoryview) -> bool:
    return any(number == _OP_TYPE and bytes(part) in _CONTROL for number, part in _fields(node))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Walk the top level of a protobuf message: (field number, its content)."""
    for number, start, _, end in _walk(message):
        yield number, message[start:end]


def _spans(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Walk the top level of a protobuf message: (field number, all its bytes)."""
    for number, _, begin, end in _walk(message):
        yield number, message[begin:end]


def _walk(message: memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Give (field number, start of its content, start, end) of each. Errors: ``ValueError``, ``IndexError``."""
    place = 0
    while place < len(message):
        begin = place
        tag, place = _varint(message, place)
        start = place
        match tag & 7:
            case 0:
                _, place = _varint(message, place)
            case 1:
                place += 8
            case 2:
                length, start = _varint(message, place)
                place = start + length
            case 5:
                place += 4
            case other:
                raise ValueError(f"wire type {other}")
        if place > len(message):
            raise ValueError("the message is cut")
        yield tag >> 3, start, begin, place


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number is too long")


def _varints(message: memoryview) -> Iterator[int]:
    place = 0
    while place < len(message):
        value, place = _varint(message, place)
        yield value


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    length, head = len(content), bytearray([number << 3 | 2])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes(head) + bytes([length]) + content
