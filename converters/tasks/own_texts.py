"""The built-in texts of a task, with its owner's in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from converters.samples.split import Part, apart
from converters.samples.text import Texts
from converters.samples.uploaded import Uploaded
from converters.samples.uploaded_text import text_key


def with_own(
    built_in: Callable[[], Mapping[str, Texts]], own: Uploaded[str] | None, most: Mapping[Part, int] | None = None
) -> dict[str, Texts]:
    """The texts of each purpose: `built_in`, or the owner's, of which at most `most` are taken.

    All purposes are the owner's where there are enough of them (see `converters.samples.split`). Fewer only calibrate,
    and what judges is then none of them.
    """
    if own is None:
        return dict(built_in())
    if own.judges:
        return {part.value: _first(own.part(part), most, part) for part in Part}
    judging = {
        name: Texts(tuple(apart(texts.texts, text_key, own.keys)), texts.description)
        for name, texts in built_in().items()
    }
    return {**judging, Part.CALIBRATION.value: _first(own, most, Part.CALIBRATION)}


def _first(own: Uploaded[str], most: Mapping[Part, int] | None, part: Part) -> Texts:
    texts = own.items if most is None else own.items[: most[part]]
    some = f", {len(texts)} of {len(own.items)}" if len(texts) < len(own.items) else ""
    return Texts(texts, f"{own.description}{some}")
