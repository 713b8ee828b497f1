"""Writers of objects: by their fields, by pydantic, or part by part if those would lose something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from taxiway.annotation_shapes import shape_of
from taxiway.decode import is_read
from taxiway.encode import Unfit, plain_at, type_name
from taxiway.equality import same
from taxiway.object_state import state_of
from taxiway.shape_names import described
from taxiway.shapes import Anything, Model, Record, Shape
from taxiway.tags import STATE, TAG, is_tagged, name_of, tagged
from taxiway.type_shapes import base_for, base_of, is_found, shape_for
from taxiway.writer import Ambiguous, Reader, Writer, members_of, unlike

_ANY: Final = Anything()
_FIX: Final = "return a dataclass, a model, or what JSON has"


def write_record(writer: Writer, shape: Record, value: Any, depth: int) -> Any:
    """Write a dataclass or a TypedDict."""
    if shape.build is dict:
        return _typed_dict(writer, shape, value, depth)
    if type(value) is not shape.kind:
        return write_other(writer, shape, value, shape.kind, depth)
    try:
        members = _fields(writer, shape, value, depth)
    except Ambiguous:
        raise
    except Unfit:
        # A field does not fit its annotation: the class cannot be built again from its fields.
        if writer.reader is Reader.INPUT:
            raise
        return _taken_apart(writer, value, depth)
    return members if shape.simple else _proved(writer, shape, value, (members,), depth)


def _fields(writer: Writer, shape: Record, value: Any, depth: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for field in shape.fields:
        try:
            members[field.name] = writer.write(shape_of(field.annotation), getattr(value, field.name), depth)
        except Unfit as unfit:
            unfit.trail.append(field.name)
            raise
        except AttributeError:
            raise Unfit(f"has no {field.name!r}") from None
    return members if writer.reader is not Reader.INPUT else {f.name: members[f.name] for f in shape.fields if f.init}


def _typed_dict(writer: Writer, shape: Record, value: Any, depth: int) -> Any:
    fields = {field.name: field for field in shape.fields}
    if type(value) is not dict:
        raise unlike(shape, value)
    for name in (*value, *(field.name for field in shape.fields if field.required)):
        if name not in fields:
            raise Unfit(f"{described(shape)} has no {name!r:.80}")
        if name not in value:
            raise Unfit(f"has no {name!r}, {described(shape)} needs it")
    given = iter(value)
    return members_of(value, lambda item: writer.write(shape_of(fields[next(given)].annotation), item, depth))


def write_model(writer: Writer, shape: Model, value: Any, depth: int) -> Any:
    """Write a pydantic model, or a value of another type that pydantic knows."""
    from taxiway.pydantic_models import written  # noqa: PLC0415 - it needs pydantic

    if type(value) is not shape.kind:
        return write_other(writer, shape, value, shape.kind, depth)
    return _proved(writer, shape, value, written(shape.kind, value, shown=writer.reader is Reader.RESULT), depth)


def _proved(writer: Writer, shape: Record | Model, value: Any, forms: Iterable[Any], depth: int) -> Any:
    """Return the first form that reads back as the value; without one, the parts one by one."""
    writer.doubtful = True
    for form in forms:
        try:
            written = plain_at(form, depth)
        except Unfit:
            continue
        hidden = isinstance(written, dict) and TAG in written
        if not hidden and is_read(shape, written, lambda back: same(back, value), tags=writer.has_tags):
            return written
    if writer.reader is Reader.INPUT:
        raise Ambiguous(f"is a {type_name(value)} that would read back as another value")
    return _taken_apart(writer, value, depth)


def _taken_apart(writer: Writer, value: Any, depth: int) -> Any:
    state = state_of(value)
    if state is None:
        raise Unfit(f"is a {type_name(value)} that would read back as another value")
    writer.doubtful = True
    parts = writer.for_parts().write(_ANY, state, depth)
    return tagged(_checked_name(value), parts, STATE)


def write_other(writer: Writer, shape: Shape, value: Any, kind: type | tuple[type, ...], depth: int) -> Any:
    """Write an instance of a subclass of the annotated type."""
    if not isinstance(value, kind):
        raise unlike(shape, value)
    if writer.reader is Reader.INPUT and isinstance(shape, Record | Model):
        raise Ambiguous(f"is a {type_name(value)}, which would read back as a {described(shape)}")
    return write_own(writer, value, depth)


def write_own(writer: Writer, value: Any, depth: int) -> Any:
    """Write a value by its own type."""
    kind: Any = type(value)
    if writer.reader is Reader.INPUT:
        raise Unfit(f"is a {type_name(value)}, which would read back as another type")
    if (shape := shape_for(kind)) is not None:
        name = _checked_name(value)
        written = writer.write(shape, value, depth)
        return written if is_tagged(written) and written[TAG] == name and STATE in written else tagged(name, written)
    writer.doubtful = True
    if (state := state_of(value)) is not None:
        return tagged(_checked_name(value), writer.for_parts().write(_ANY, state, depth), STATE)
    if (base := base_for(kind)) is not None:
        name = _checked_name(value)
        return tagged(name, writer.for_parts().write(base, base_of(kind)(value), depth))
    raise Unfit(f"{type_name(value)} is not JSON: {_FIX}")


def _checked_name(value: Any) -> str:
    kind: Any = type(value)
    if not is_found(kind):
        raise Unfit(
            f"{type_name(value)} is not JSON, and this name does not lead back to it: define it at the top of its module, "
            "or name it in the annotation"
        )
    return name_of(kind)
