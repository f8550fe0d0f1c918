"""The built-in texts of chat models: passages of prose to read, and the ways in which people open a conversation.

The prose is that of `converters.samples.text`: calibration, selection and judgement are of different packages. It is
raw text; no chat template is applied, because templates are the owner's code.
"""

from __future__ import annotations

from collections.abc import Mapping

from converters.samples.text import Texts, calibration_texts, held_out_texts, selection_texts
from converters.subject import Split

CALIBRATION = "calibration"

_PASSAGES = {CALIBRATION: 64, Split.SELECTION: 48, Split.HELD_OUT: 128}  # of 110 words on average

_PROMPTS = {
    CALIBRATION: (
        "How do I keep bread fresh for a week? Freeze it in slices and take out what you need in the morning.",
        "Write a short poem about the sea. The waves come in, the waves go out, and leave the sand without a doubt.",
        "What is the capital of Portugal? The capital of Portugal is Lisbon, on the river Tagus.",
        "Explain recursion to a child. It is like two mirrors that face each other, each showing the other inside.",
    ),
    Split.SELECTION: (
        "Can you suggest a name for a small black cat? You could call her Olive, Soot or Pepper.",
        "What is seven times eight? Seven times eight is fifty-six.",
        "Tell me how rain forms. Warm air rises, cools, and its water gathers into drops that are too heavy to float.",
    ),
    Split.HELD_OUT: (
        "What is the capital of France? The capital of France is Paris, which lies on the Seine.",
        "Please summarise the story of the tortoise and the hare. The hare was faster and slept; the tortoise went on.",
        "Which planet is the largest? Jupiter is the largest planet of the solar system.",
        "How can I learn to cook? Begin with one dish that you like, and make it every week until it is easy.",
        "Write a polite reply to a late invoice. Thank you for your patience; the payment will reach you on Friday.",
    ),
}


def conversations(seed: int) -> Mapping[str, Texts]:
    """The three sets of texts: `calibration`, and what is read to choose by and to judge on."""
    calibration = calibration_texts(seed, sentences=0, passages=_PASSAGES[CALIBRATION])
    found = {
        CALIBRATION: calibration,
        Split.SELECTION: selection_texts(seed, calibration, sentences=0, passages=_PASSAGES[Split.SELECTION]),
        Split.HELD_OUT: held_out_texts(seed, calibration, sentences=0, passages=_PASSAGES[Split.HELD_OUT]),
    }
    return {name: _with_prompts(texts, _PROMPTS[name]) for name, texts in found.items()}


def _with_prompts(texts: Texts, prompts: tuple[str, ...]) -> Texts:
    return Texts(texts.texts + prompts, f"{texts.description}, and {len(prompts)} questions with their answers")
