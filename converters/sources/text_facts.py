"""How a text model pools, normalises and limits its input, from the files that sentence-transformers writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from converters.errors import SourceInvalid
from converters.sources.facts import TextFacts
from converters.sources.files import read_object, whole
from registry.spec.embedding import Pooling

_MOST_TOKENS = 8192  # beyond it one text would fill a whole run of the runtime
_DEFAULT_TOKENS = 512
_LARGEST_ID = 2**63  # what a message can show; the model's rows bound it
_PROBE = "The shell of 1934, ünlike æther\u2009— 貝殻 🐚!"
_POOLING = {
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_max_tokens": Pooling.MAX,
    **{pooling.value: pooling for pooling in Pooling},
}


def read_text_facts(source: Path, config: dict[str, Any]) -> TextFacts:
    """The facts of the model in `source`, whose config.json is `config` ({} where there is none)."""
    return TextFacts(
        max_tokens=_max_tokens(source, config),
        pooling=_pooling(source),
        normalize=_normalizes(source),
        dimensions=whole(config.get("hidden_size"), 1, 65536),
    )


def check_tokenizer(source: Path, config: dict[str, Any]) -> None:
    """Raise SourceInvalid where tokenizer.json is missing, cannot read a text, or has ids the model has no row for."""
    tokenizer = read_object(source / "tokenizer.json")
    model = tokenizer.get("model")
    if not isinstance(model, dict) or "vocab" not in model:
        raise SourceInvalid(
            "tokenizer.json does not describe a tokenizer.", "Upload the tokenizer.json that save_pretrained() writes."
        )
    rows = whole(config.get("vocab_size"), 1, 2**31)
    ids = _ids(model["vocab"]) + _added_ids(tokenizer.get("added_tokens"))
    if rows is not None and max(ids) >= rows:
        raise SourceInvalid(
            f"tokenizer.json has token ids up to {max(ids)}, and the model knows {rows}.",
            "Upload the tokenizer that belongs to the model.",
        )
    _check_reads(source / "tokenizer.json")


def _ids(vocabulary: Any) -> list[int]:
    """The ids of a vocabulary: a mapping to ids, or (Unigram) a list whose positions are the ids."""
    if isinstance(vocabulary, list) and vocabulary:
        return [len(vocabulary) - 1]
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else []
    if not ids or any(whole(number, 0, _LARGEST_ID) is None for number in ids):
        raise SourceInvalid(
            "tokenizer.json has no vocabulary with an id for each token.",
            "Upload the tokenizer that belongs to the model.",
        )
    return ids


def _added_ids(added: Any) -> list[int]:
    tokens = added if isinstance(added, list) else [] if added is None else [added]
    found = [whole(token.get("id"), 0, _LARGEST_ID) if isinstance(token, dict) else None for token in tokens]
    ids = [number for number in found if number is not None]
    if len(ids) < len(tokens):
        raise SourceInvalid(
            "tokenizer.json has added tokens without an id.", "Upload the tokenizer that belongs to the model."
        )
    return ids


def _check_reads(path: Path) -> None:
    """Open the tokenizer as it will be served, and read a text with words, numbers and signs that it may not know."""
    from tokenizers import Tokenizer

    try:
        Tokenizer.from_file(str(path)).encode(_PROBE)
    except BaseException as error:  # the library raises Exception itself, and its panics are not even that
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise SourceInvalid(
            "tokenizer.json cannot be opened, or not read a text with.",
            "Check it with tokenizers.Tokenizer.from_file(), and upload the one that save_pretrained() writes.",
        ) from error


def _max_tokens(source: Path, config: dict[str, Any]) -> int:
    sentence = read_object(source / "sentence_bert_config.json", required=False)
    tokenizer = read_object(source / "tokenizer_config.json", required=False)
    positions = whole(config.get("max_position_embeddings"), 8, 10**9)
    if positions is not None and config.get("model_type") in {"roberta", "xlm-roberta", "camembert", "mpnet"}:
        positions -= 2  # these count positions from the padding id + 1
    wishes = (
        whole(sentence.get("max_seq_length"), 8, 10**9),
        positions,
        whole(tokenizer.get("model_max_length"), 8, 10**9),
    )
    known = next((wish for wish in wishes if wish is not None), _DEFAULT_TOKENS)
    return min(known, positions or known, _MOST_TOKENS)


def _pooling(source: Path) -> Pooling:
    config = read_object(source / "1_Pooling" / "config.json", required=False)
    chosen = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    if isinstance(config.get("pooling_mode"), str):
        chosen.append(config["pooling_mode"])
    if not chosen:
        return Pooling.MEAN
    if len(chosen) > 1 or chosen[0] not in _POOLING:
        raise SourceInvalid(
            "1_Pooling/config.json asks for a pooling that Conch does not serve.",
            "Conch pools by mean, by the first token or by maximum, one of them.",
        )
    return _POOLING[chosen[0]]


def _normalizes(source: Path) -> bool:
    """Whether modules.json lists Normalize. True without the file: similarity is what embeddings are compared by."""
    path = source / "modules.json"
    if not path.is_file():
        return True
    try:
        modules = json.loads(path.read_bytes())
        types = [str(module["type"]) for module in modules]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise SourceInvalid("modules.json is not a list of modules.", "Save the model again and upload it.") from error
    unknown = [kind for kind in types if kind.rpartition(".")[2] not in {"Transformer", "Pooling", "Normalize"}]
    if unknown:
        raise SourceInvalid(
            "modules.json lists a module beyond Transformer, Pooling and Normalize.",
            "Export the whole model to ONNX with token vectors as its output, or leave that module out.",
        )
    return any(kind.rpartition(".")[2] == "Normalize" for kind in types)
