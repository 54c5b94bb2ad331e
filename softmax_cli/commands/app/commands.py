"""The table of the program's subcommands."""

COMMANDS = {
    "softmax": "Turn logits into probabilities.",
    "jacobian": "The derivative of softmax or log-softmax, or its product with a vector.",
    "xent": "Cross-entropy of two distributions, or of logits and labels.",
    "gradcheck": "Check gradients: the built-in ones, a file's, or your function's.",
}
