import base64
from pathlib import Path

import pytest

from tests.triton_repo import graphs
from tests.triton_repo.calls import embed
from tests.triton_repo.published import AFFINE
from tests.triton_repo.server import Server
from triton_repo.errors import ProbeFailed
from triton_repo.probe import probe

X = {"x": {"datatype": "FP32", "shape": [2, 4], "data": [0, 1, 2, 3, 4, 5, 6, 7]}}
Y = [1, 3, 5, 7, 9, 11, 13, 15]


def y(data: list, shape: tuple = (2, 4), datatype: str = "FP32") -> dict:
    return {"y": {"datatype": datatype, "shape": list(shape), "data": data}}


async def test_a_model_that_answers_what_was_certified_passes(triton: Server, tmp_path: Path) -> None:
    await probe(triton.control, "affine", graphs.write_probe(tmp_path / "p.json", X, y(Y)), 0)


async def test_a_difference_within_the_tolerance_passes(triton: Server, tmp_path: Path) -> None:
    path = graphs.write_probe(tmp_path / "p.json", X, y([value + 0.01 for value in Y]))
    await probe(triton.control, "affine", path, 0.02)
    with pytest.raises(ProbeFailed, match=r"8 of 8 values differ by more than 0\.005, at worst 0\.01"):
        await probe(triton.control, "affine", path, 0.005)


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (y([*Y[:-1], float("nan")]), "1 of 8 values"),
        (y(Y, shape=(4, 2)), r"FP32 \[2, 4\] instead of FP32 \[4, 2\]"),
        (y(Y, datatype="FP64"), r"instead of FP64"),
        ({"z": y(Y)["y"]}, "does not answer z"),
    ],
)
async def test_another_answer_fails_with_the_numbers(triton: Server, tmp_path: Path, outputs, reason: str) -> None:
    with pytest.raises(ProbeFailed, match=reason):
        await probe(triton.control, "affine", graphs.write_probe(tmp_path / "p.json", X, outputs), 0.02)


async def test_strings_must_be_equal(triton: Server, tmp_path: Path) -> None:
    def strings(*data: str) -> dict:
        return {
            "datatype": "BYTES",
            "shape": [1, 2],
            "data": [base64.b64encode(text.encode()).decode() for text in data],
        }

    right = graphs.write_probe(tmp_path / "right.json", {"s": strings("a", "ä")}, {"t": strings("a!", "ä!")})
    await probe(triton.control, "exclaim", right, 1)
    wrong = graphs.write_probe(tmp_path / "wrong.json", {"s": strings("a", "ä")}, {"t": strings("a!", "a!")})
    with pytest.raises(ProbeFailed, match="1 of 2 values"):
        await probe(triton.control, "exclaim", wrong, 1)


async def test_an_embedding_model_is_probed_with_texts(triton: Server, tmp_path: Path) -> None:
    vectors = (await embed(triton.control, ["w1 w2", "w3"]))["embedding"]
    texts = {
        "text": {
            "datatype": "BYTES",
            "shape": [2, 1],
            "data": [base64.b64encode(text).decode() for text in (b"w1 w2", b"w3")],
        }
    }
    certified = {"embedding": {"datatype": "FP32", "shape": [2, 8], "data": vectors.ravel().tolist()}}
    await probe(triton.control, "words", graphs.write_probe(tmp_path / "p.json", texts, certified), 1e-6)
    certified["embedding"]["data"].reverse()
    with pytest.raises(ProbeFailed):
        await probe(triton.control, "words", graphs.write_probe(tmp_path / "p.json", texts, certified), 1e-6)


async def test_a_model_that_does_not_count_fails(triton: Server, tmp_path: Path) -> None:
    await triton.serve("uncounted", triton.embedded.directory / "affine", AFFINE, usage=False)
    with pytest.raises(ProbeFailed, match="consumed"):
        await probe(triton.control, "uncounted", graphs.write_probe(tmp_path / "p.json", X, y(Y)), 0)
    await triton.control.unload("uncounted")
