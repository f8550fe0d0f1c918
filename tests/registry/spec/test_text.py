from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.spec import text
from registry.spec.text import TextEncoder, Tokens, pad
from tests.triton_repo import graphs

SPECIAL = 2  # [CLS] and [SEP]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    directory = graphs.write_embedding(tmp_path_factory.mktemp("text"))
    return TextEncoder(directory / "tokenizer.json", graphs.MAX_TOKENS)


@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_what_is_cut_off_is_counted(encoder: TextEncoder, lengths: list[int]) -> None:
    for length, tokens in zip(lengths, encoder.encode([" ".join(["w7"] * n) for n in lengths]), strict=True):
        assert len(tokens.ids) == min(length + SPECIAL, graphs.MAX_TOKENS)
        assert len(tokens.ids) + tokens.truncated == length + SPECIAL
        assert (tokens.ids[0], tokens.ids[-1]) == (1, 2)


@given(lengths=st.lists(st.integers(0, 30), max_size=12))
def test_a_large_request_is_read_in_portions_that_change_nothing(encoder: TextEncoder, lengths: list[int]) -> None:
    texts = [" ".join(f"w{length}" for _ in range(length)) for length in lengths]
    whole = encoder.encode(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_PORTION_CHARACTERS", 40)
        assert encoder.encode(texts) == whole


def test_texts_are_not_padded_to_each_other(encoder: TextEncoder) -> None:
    long, empty = encoder.encode(["w1 w2 w3", ""])
    assert long.ids == [1, 4, 5, 6, 2]
    assert empty.ids == [1, 2]


def test_a_tokenizer_that_pads_and_truncates_itself_is_overruled(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    path = graphs.write_embedding(tmp_path) / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_padding(length=12)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(path))
    (tokens,) = TextEncoder(path, 8).encode(["w1 w2 w3 w4"])
    assert tokens == Tokens([1, 4, 5, 6, 7, 2], truncated=0)


def test_the_mask_hides_the_padding() -> None:
    ids, mask = pad([Tokens([5], 0), Tokens([6, 7, 8], 0)])
    assert ids.tolist() == [[5, 0, 0], [6, 7, 8]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert ids.dtype == mask.dtype == np.int64
