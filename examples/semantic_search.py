"""Find the sentence that answers a question, with OpenAI's client on Conch's sample model.

Run it while Conch is up: `.venv/bin/pip install -c constraints.txt openai`, then
`.venv/bin/python examples/semantic_search.py "Who keeps the books?"`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from openai import OpenAI

SENTENCES = [
    "PostgreSQL keeps the catalogue, the usage and the ledger.",
    "Redis counts how often a key has called.",
    "Triton runs the models and batches the requests.",
    "A converter turns a model into INT8 and measures what that cost.",
    "The certificate says how accurate and how fast the model is.",
]


def main() -> None:
    """Embed the sentences and the question, and print the sentences by similarity."""
    question = " ".join(sys.argv[1:]) or "Where is the money written down?"
    bootstrap = json.loads(Path("data/bootstrap.json").read_text(encoding="utf-8"))
    client = OpenAI(base_url=f"{bootstrap['url']}/v1", api_key=bootstrap["demo_key"])
    answer = client.embeddings.create(model="minilm", input=[question, *SENTENCES])
    asked, *known = (np.array(item.embedding) for item in answer.data)
    similarities = [float(asked @ vector) for vector in known]
    for similarity, sentence in sorted(zip(similarities, SENTENCES, strict=True), reverse=True):
        print(f"{similarity:6.3f}  {sentence}")


if __name__ == "__main__":
    main()
