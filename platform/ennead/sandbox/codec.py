"""Contracts as JSON and raw arrays, by their type hints.

A value is written as plain JSON; a dataclass as an object with its name under ``$``; an array as
``{"$array": n}`` with its dtype, shape and place in a table. Reading follows the type hints of what
is expected and accepts nothing else: no names are imported, no code runs, every array lies inside
the bytes that came.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import struct
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal, NewType, TypeVar, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt

from ennead.errors import ContractError

T = TypeVar("T")

#: Element types that travel.
DTYPES: Final = frozenset(
    np.dtype(name).str for name in ("u1", "i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f4", "<f8")
)
_BITS: Final = "bits"
_ALIGN: Final = 64
_LENGTH: Final = struct.Struct("<Q")
_TEXT_CHARACTERS: Final = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Encoded:
    """A value on its way: JSON, and the arrays that it names, each at a multiple of 64 bytes."""

    head: bytes
    arrays: tuple[npt.NDArray[Any], ...]

    @property
    def body_bytes(self) -> int:
        """Length of all arrays with their padding."""
        return sum(padded(each.nbytes) for each in self.arrays)

    def parts(self) -> list[bytes | memoryview]:
        """As one message: length of the JSON, the JSON, the arrays, each padded."""
        found: list[bytes | memoryview] = [_LENGTH.pack(len(self.head)), self.head]
        found.append(bytes(padded(len(self.head)) - len(self.head)))
        for array in self.arrays:
            found += [raw(array), bytes(padded(array.nbytes) - array.nbytes)]
        return found


def encode(value: object) -> Encoded:
    """``value`` (contracts, containers, numbers, texts, arrays) as JSON and arrays.

    Functions among a dataclass's fields are left out; they cannot leave their process.
    """
    arrays: list[npt.NDArray[Any]] = []
    table: list[dict[str, Any]] = []
    plain = _plain(value, arrays, table)
    offset = 0
    for entry, each in zip(table, arrays, strict=True):
        entry["at"] = offset
        offset += padded(each.nbytes)
    head = {"value": plain, "arrays": table}
    return Encoded(json.dumps(head, allow_nan=False, separators=(",", ":")).encode(), tuple(arrays))


def decode(expected: type[T] | Any, head: bytes, body: memoryview) -> T:
    """The value of type ``expected`` that :func:`encode` made; its arrays are views of ``body``.

    Raises
    ------
    ContractError
        The bytes are not such a value.
    """
    try:
        document = json.loads(head, parse_constant=_no_constant)
        reader = _Reader(document["arrays"], body)
        return typing.cast(T, reader.read(expected, document["value"]))
    except ContractError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise ContractError(f"What the package sent cannot be read: {error}") from error


def decode_message(expected: type[T] | Any, message: bytearray) -> T:
    """The value of a message that :meth:`Encoded.parts` makes.

    Raises
    ------
    ContractError
        The bytes are not such a value.
    """
    view = memoryview(message)
    if len(view) < _LENGTH.size:
        raise ContractError("What the package sent is cut off.")
    (length,) = _LENGTH.unpack_from(view)
    start = _LENGTH.size + padded(length)
    found: T = decode(expected, bytes(view[_LENGTH.size : _LENGTH.size + length]), view[start:])
    return found


def padded(length: int) -> int:
    """``length`` up to the next multiple of 64."""
    return -(-length // _ALIGN) * _ALIGN


def raw(array: npt.NDArray[Any]) -> memoryview:
    """The bytes of a C-contiguous array, not copied."""
    flat: Any = array.reshape(-1)
    return memoryview(flat).cast("B") if array.size else memoryview(b"")


def _plain(value: Any, arrays: list[Any], table: list[dict[str, Any]]) -> Any:
    if value is None or (isinstance(value, (bool, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    if isinstance(value, np.ndarray):
        return _array(value, arrays, table)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found: dict[str, Any] = {"$": type(value).__name__}
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            if not callable(inner):
                found[field.name] = _plain(inner, arrays, table)
        return found
    if isinstance(value, Mapping):
        return {str(k): _plain(v, arrays, table) for k, v in value.items()}
    if isinstance(value, (set, frozenset)):
        return [_plain(v, arrays, table) for v in sorted(value)]
    if isinstance(value, Sequence):
        return [_plain(v, arrays, table) for v in value]
    raise ContractError(
        f"A {type(value).__name__} cannot leave the sandbox; return Finding, Segment, Map or "
        "Refusal made of numbers, texts and arrays."
    )


def _array(value: npt.NDArray[Any], arrays: list[Any], table: list[dict[str, Any]]) -> Any:
    shape = list(value.shape)
    if value.dtype == np.bool_:
        kind, flat = _BITS, np.packbits(np.ascontiguousarray(value).reshape(-1))
    else:
        flat = np.ascontiguousarray(value)
        kind = flat.dtype.str
        if kind not in DTYPES:
            raise ContractError(f"Arrays of {flat.dtype} do not travel; use float32 or uint16.")
    arrays.append(flat)
    table.append({"dtype": kind, "shape": shape})
    return {"$array": len(arrays) - 1}


class _Reader:
    def __init__(self, table: Sequence[Mapping[str, Any]], body: memoryview) -> None:
        self._table = table
        self._body = body

    def read(self, hint: Any, value: Any) -> Any:
        """``value`` as the type ``hint``."""
        if isinstance(hint, NewType):
            return self.read(hint.__supertype__, value)
        origin = get_origin(hint)
        if hint is Any:
            return value
        if origin in (Union, types.UnionType):
            return self._union(get_args(hint), value)
        if origin is Literal:
            if value in get_args(hint):
                return value
            raise ContractError(f"{value!r:.80} is none of {get_args(hint)}.")
        if hint is np.ndarray or origin is np.ndarray:
            return self._array(hint, value)
        if origin is not None:
            return self._container(origin, get_args(hint), value)
        if dataclasses.is_dataclass(hint):
            return self._dataclass(hint, value)
        return self._scalar(hint, value)

    def _scalar(self, hint: Any, value: Any) -> Any:
        if hint is None or hint is type(None):
            return _require(value is None, None, hint, value)
        if hint is bool:
            return _require(isinstance(value, bool), value, hint, value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if hint is float:
            return _require(
                number and math.isfinite(value), float(value) if number else 0, hint, value
            )
        if hint is int:
            return _require(number and isinstance(value, int), value, hint, value)
        text = isinstance(value, str) and len(value) <= _TEXT_CHARACTERS
        if hint is str:
            return _require(text, value, hint, value)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint(value)
        if hint in (dt.datetime, dt.date) and text:
            return hint.fromisoformat(value)
        raise ContractError(f"A {_name(hint)} cannot be read from {value!r:.80}.")

    def _union(self, choices: Sequence[Any], value: Any) -> Any:
        named = value.get("$") if isinstance(value, dict) else None
        for choice in choices:
            if named is not None and getattr(choice, "__name__", "") != named:
                continue
            try:
                return self.read(choice, value)
            except ContractError:
                if named is not None:
                    raise
        raise ContractError(f"{value!r:.80} is none of {', '.join(map(_name, choices))}.")

    def _container(self, origin: Any, inner: Sequence[Any], value: Any) -> Any:
        if issubclass(origin, Mapping):
            _require(isinstance(value, dict) and "$" not in value, value, origin, value)
            return {self.read(inner[0], k): self.read(inner[1], v) for k, v in value.items()}
        _require(isinstance(value, list), value, origin, value)
        if origin is tuple and inner[-1:] != (Ellipsis,):
            _require(len(value) == len(inner), value, origin, value)
            return tuple(self.read(h, v) for h, v in zip(inner, value, strict=True))
        items = (self.read(inner[0], each) for each in value)
        return frozenset(items) if origin is frozenset else tuple(items)

    def _dataclass(self, kind: Any, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("$") != kind.__name__:
            raise ContractError(f"A {kind.__name__} was expected; got {value!r:.80}.")
        hints = _hints(kind)
        known = {k: self.read(hints[k], v) for k, v in value.items() if k != "$" and k in hints}
        unknown = value.keys() - hints.keys() - {"$"}
        if unknown:
            raise ContractError(f"A {kind.__name__} has no {', '.join(sorted(unknown))}.")
        return kind(**known)

    def _array(self, hint: Any, value: Any) -> npt.NDArray[Any]:
        entry = self._table[value["$array"]]
        shape = tuple(entry["shape"])
        if not all(isinstance(n, int) and n >= 0 for n in shape) or len(shape) > 4:
            raise ContractError(f"An array cannot have the shape {shape!r:.80}.")
        count = math.prod(shape)
        wanted = _dtype_of(hint)
        packed = entry["dtype"] == _BITS
        if not packed and entry["dtype"] not in DTYPES:
            raise ContractError(f"Arrays of {entry['dtype']!r:.20} do not travel.")
        dtype = np.dtype(np.uint8 if packed else entry["dtype"])
        length = -(-count // 8) if packed else count * dtype.itemsize
        at = entry["at"]
        if not isinstance(at, int) or at < 0 or at + length > len(self._body):
            raise ContractError("An array lies outside what was sent.")
        flat = np.frombuffer(self._body[at : at + length], dtype=dtype)
        found = np.unpackbits(flat, count=count).view(np.bool_) if packed else flat
        if wanted is not None and found.dtype not in wanted:
            raise ContractError(f"An array of {found.dtype} came; {wanted[0]} was expected.")
        return found.reshape(shape)


def _dtype_of(hint: Any) -> tuple[np.dtype[Any], ...] | None:
    """Element types that ``NDArray[…]`` allows; None for any."""
    for each in get_args(hint):
        inner = get_args(each)
        if get_origin(each) is np.dtype and inner and isinstance(inner[0], type):
            return (np.dtype(inner[0]),)
    return None


_hints_of: dict[Any, dict[str, Any]] = {}


def _hints(kind: Any) -> dict[str, Any]:
    """Type hints of a dataclass's fields that can travel: functions are left out."""
    if kind not in _hints_of:
        found = typing.get_type_hints(kind)
        names = [f.name for f in dataclasses.fields(kind)]
        _hints_of[kind] = {n: found[n] for n in names if not _is_function(found[n])}
    return _hints_of[kind]


def _is_function(hint: Any) -> bool:
    return get_origin(hint) is Callable or getattr(hint, "_is_protocol", False)


def _require(holds: bool, result: Any, hint: Any, value: Any) -> Any:
    if not holds:
        raise ContractError(f"A {_name(hint)} was expected; got {value!r:.80}.")
    return result


def _name(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint))


def _no_constant(name: str) -> None:
    raise ContractError(f"{name} is no number that can be reported; refuse the output instead.")
