"""Writes what evaluations of language models store: the folders `huggingface` and `servers`.

    pip install datasets==5.2.0
    python -m tests.peers.make.language_model_files

No model is run. `predict` of a Trainer returns `predictions` and `label_ids`, arrays that people
save by numpy.savez; labels of -100 are left out of the loss, as transformers does. Server answers
have the form of the API reference of OpenAI, "Completions" (`choices[0].logprobs.token_logprobs`,
the first of which is null with `echo`) and "Chat" (`choices[0].logprobs.content[i].logprob`), which
vLLM and llama.cpp return too. The `prompt_logprobs` of vLLM map token ids to objects; people keep
the number of the token that is there, `[None, -0.5, ...]`.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.peers.rows import FILES, IDS, LABELS, LOGITS, NAMES

# Log-probabilities of the tokens of two texts; of the first token there is none.
TOKENS = ((None, -0.5, -2.25, -0.125), (None, -1.0, -0.75))
TOKEN_LABELS = ((0, -100, 2), (1, 1, -100))
# Two texts of three tokens, padded.
TOKEN_LOGITS = ((LOGITS[0], LOGITS[1], LOGITS[2]), (LOGITS[3], LOGITS[4], (0.0, 0.0, 0.0)))


def main(folder: Path = FILES) -> None:
    """Write the files."""
    for name in ("huggingface", "servers"):
        (folder / name).mkdir(exist_ok=True)
    write_huggingface(folder / "huggingface")
    write_servers(folder / "servers")


def write_huggingface(folder: Path) -> None:
    """Write a data set with logits and labels, and the arrays of a Trainer."""
    datasets: Any = import_module("datasets")
    rows = datasets.Dataset.from_dict(
        {
            "idx": list(IDS),
            "text": [f"a flower, number {number}" for number in IDS],
            "logits": [list(row) for row in LOGITS],
            "label": list(LABELS),
        }
    ).cast_column("label", datasets.ClassLabel(names=list(NAMES)))
    rows.to_json(folder / "dataset.jsonl")
    rows.to_json(folder / "dataset.json", lines=False)
    rows.to_csv(folder / "dataset.csv")
    rows.to_parquet(folder / "dataset.parquet")
    logits, labels = np.array(TOKEN_LOGITS, np.float32), np.array(TOKEN_LABELS)
    np.savez(
        folder / "trainer.npz", predictions=np.array(LOGITS, np.float32), label_ids=np.array(LABELS)
    )
    np.savez(folder / "tokens.npz", predictions=logits, label_ids=labels)


def write_servers(folder: Path) -> None:
    """Write answers, one a line, and what jq and people make of them."""
    with (folder / "completions.jsonl").open("w") as file:
        for number, logprobs in enumerate(TOKENS):
            told = {
                "tokens": [f"t{place}" for place in range(len(logprobs))],
                "token_logprobs": logprobs,
                "top_logprobs": None,
                "text_offset": list(range(len(logprobs))),
            }
            choice = {"index": 0, "text": "...", "logprobs": told, "finish_reason": "stop"}
            answer = {"id": f"cmpl-{number}", "object": "text_completion", "choices": [choice]}
            file.write(json.dumps(answer) + "\n")
    with (folder / "chat.jsonl").open("w") as file:
        for number, logprobs in enumerate(TOKENS):
            content: list[dict[str, Any]] = [
                {"token": f"t{place}", "logprob": logprob, "bytes": None, "top_logprobs": []}
                for place, logprob in enumerate(logprobs[1:], 1)
            ]
            message = {"role": "assistant", "content": "..."}
            choice = {"index": 0, "message": message, "logprobs": {"content": content}}
            answer = {"id": f"chatcmpl-{number}", "object": "chat.completion", "choices": [choice]}
            file.write(json.dumps(answer) + "\n")
    with (folder / "token_logprobs.jsonl").open("w") as file:
        for number, logprobs in enumerate(TOKENS):
            record = {"id": f"cmpl-{number}", "token_logprobs": logprobs}
            file.write(json.dumps(record) + "\n")
    flat = [logprob for logprobs in TOKENS for logprob in logprobs]
    (folder / "token_logprobs.json").write_text(json.dumps(TOKENS) + "\n")
    (folder / "one_text.json").write_text(json.dumps(TOKENS[0]) + "\n")
    lines = ["token,logprob", *(f"t{n},{'' if p is None else p}" for n, p in enumerate(flat))]
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
