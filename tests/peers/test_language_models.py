"""Logits and log-probabilities of tokens, as a Trainer and as servers give them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.peers.make.language_model_files import TOKEN_LABELS, TOKEN_LOGITS, TOKENS
from tests.peers.rows import FILES, LOSS, mean_loss
from tests.running import run

FOUND = [logprob for text in TOKENS for logprob in text if logprob is not None]
MEAN = -math.fsum(FOUND) / len(FOUND)
FROM = "--from label-log-probabilities"


def test_the_arrays_of_a_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "huggingface")
    assert _loss("'trainer.npz[predictions]' --labels 'trainer.npz[label_ids]'") == LOSS
    used = [
        (row, label)
        for rows, labels in zip(TOKEN_LOGITS, TOKEN_LABELS, strict=True)
        for row, label in zip(rows, labels, strict=True)
        if label != -100
    ]
    right = mean_loss([row for row, _ in used], [label for _, label in used])
    line = "'tokens.npz[predictions]' --labels 'tokens.npz[label_ids]'"
    assert _loss(f"{line} --ignore-label -100") == right
    refused = run(f"softmax-cli xent {line}")
    assert (refused.code, refused.out) == (2, "")
    assert "--ignore-label -100" in refused.err


@pytest.mark.parametrize(
    "line",
    [
        "token_logprobs.jsonl --columns token_logprobs",
        "token_logprobs.jsonl --id-columns id",
        "token_logprobs.json",
        "tokens.csv --columns logprob",
    ],
)
def test_log_probabilities_of_tokens(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "servers")
    assert _loss(f"{line} {FROM}") == MEAN
    told = json.loads(run(f"softmax-cli xent {line} {FROM} --format json").out)
    assert (told["used"], told["ignored"]) == (len(FOUND), len(TOKENS))
    assert told["perplexity"] == pytest.approx(math.exp(MEAN), rel=1e-12)


def test_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "servers")
    assert _loss(f"one_text.json {FROM}") == -math.fsum(TOKENS[0][1:]) / (len(TOKENS[0]) - 1)


def test_answers_of_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # jq -c '{id, logprobs: .choices[0].logprobs.token_logprobs}'
    lines = (FILES / "servers" / "completions.jsonl").read_text().splitlines()
    monkeypatch.chdir(tmp_path)
    with Path("logprobs.jsonl").open("w") as file:
        for answer in map(json.loads, lines):
            logprobs = answer["choices"][0]["logprobs"]["token_logprobs"]
            file.write(json.dumps({"id": answer["id"], "logprobs": logprobs}) + "\n")
    assert _loss(f"logprobs.jsonl --columns logprobs {FROM}") == MEAN
    # jq '.choices[0].logprobs.content[].logprob', a number a line
    lines = (FILES / "servers" / "chat.jsonl").read_text().splitlines()
    with Path("logprobs.txt").open("w") as file:
        for answer in map(json.loads, lines):
            for token in answer["choices"][0]["logprobs"]["content"]:
                file.write(f"{token['logprob']}\n")
    assert _loss(f"logprobs.txt {FROM}") == MEAN


def _loss(line: str) -> object:
    outcome = run(f"softmax-cli xent {line}")
    assert outcome.code == 0, outcome.err
    return pytest.approx(float(outcome.out), rel=1e-12)
