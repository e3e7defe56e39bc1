"""Reads JSON files into frozen dataclasses and checks that every field has the right type."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def json_of(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON text. Raises ValueError where it is none, or nested beyond reason."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """The value in a JSON file. Raises OSError, or ValueError as `json_of` does."""
    return json_of(path.read_bytes())


def record_of(kind: type[T], value: object) -> T:
    """A dataclass from what `dataclasses.asdict` gave and JSON kept.

    Fields that have a default may be missing. Ranges are the dataclass's own affair.

    Raises ValueError where a field is missing, unknown or of another type, or a number is none.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"it is no record: {value!r:.40}")
    known = {field.name: field for field in fields(kind)}
    if unknown := value.keys() - known.keys():
        raise ValueError(f"there is no {min(unknown)!r:.40}")
    hints = get_type_hints(kind)
    try:
        return kind(**{name: _as(hints[name], item, name) for name, item in value.items()})
    except TypeError:  # all given fit: one is missing
        raise ValueError(f"it lacks {', '.join(known.keys() - value.keys())}") from None


def _as(hint: Any, value: Any, name: str) -> Any:  # noqa: ANN401 - types, and any JSON value
    """A JSON value as what a field's type says, or a ValueError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for one in arguments:
            try:
                return _as(one, value, name)
            except ValueError:
                continue
    elif origin is Literal:
        if value in arguments and type(value) is type(arguments[arguments.index(value)]):
            return value
    elif origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            return tuple(_as(one, item, name) for one, item in zip(kinds, value, strict=True))
    elif origin is dict and isinstance(value, Mapping):
        return {arguments[0](key): _as(arguments[1], one, name) for key, one in value.items()}
    elif isinstance(hint, type) and is_dataclass(hint):
        return record_of(hint, value)
    elif hint is float and type(value) in (int, float):
        if math.isfinite(number := float(value) if abs(value) < 1e300 else math.inf):
            return number
    elif hint is Path and type(value) is str:
        return Path(value)
    elif type(value) is hint or (hint is type(None) and value is None):
        return value
    raise ValueError(f"{name} is {value!r:.40}")
