"""The built-in pictures: readable, repeatable, and apart from each other."""

from __future__ import annotations

import pytest

from converters.samples import lines, photographs
from converters.samples.lines import pages
from converters.samples.photographs import scenes
from converters.samples.pictures import Pictures, pictures
from converters.samples.split import Part
from registry.spec.image import decode


@pytest.mark.parametrize("made", [scenes, pages])
def test_pictures_are_readable_and_the_same_for_a_seed(made: type[Pictures]) -> None:
    first, again, other = made(Part.HELD_OUT, 0, 4), made(Part.HELD_OUT, 0, 4), made(Part.HELD_OUT, 1, 4)
    assert first == again
    assert not set(first.files) & set(other.files)
    assert made(Part.HELD_OUT, 0, 2).files == first.files[:2]
    assert first.data().samples == 4
    assert first.data().sha256 == again.data().sha256 != other.data().sha256
    for file in first.files:
        assert decode(file).std() > 5


def test_no_photograph_and_no_face_is_in_two_parts() -> None:
    sources = [{photographs._PEOPLE[part], *photographs._PLACES[part]} for part in Part]
    faces = [{face.tobytes() for face in photographs._faces(part)} for part in Part]
    for sets in (sources, faces):
        assert sum(len(one) for one in sets) == len(set().union(*sets))
    assert sum(len(one) for one in faces) == 100


def test_no_sentence_of_the_judgement_is_calibrated_with() -> None:
    texts = {part: set(lines._sentences(part, 0)) for part in Part}
    assert min(map(len, texts.values())) > 100
    assert len(texts[Part.HELD_OUT] & texts[Part.CALIBRATION]) < 0.01 * len(texts[Part.HELD_OUT])


def test_an_owners_pictures_are_shared_out_where_there_are_enough() -> None:
    files = [index.to_bytes(2) for index in range(200)]
    shared = pictures(lambda part: scenes(part, 0, 1), [*files, files[0]])
    assert sum(len(set(shared[part].files)) for part in Part) == 200
    assert set().union(*(shared[part].files for part in Part)) == set(files)
    assert {found.description for found in shared.values()} == {"The owner's own pictures"}


def test_few_pictures_of_an_owners_calibrate_and_the_built_in_ones_judge() -> None:
    files = [b"one", b"two"]
    shared = pictures(lambda part: scenes(part, 0, 1), files)
    assert shared[Part.CALIBRATION].files == tuple(files)
    assert shared[Part.HELD_OUT] == scenes(Part.HELD_OUT, 0, 1)
