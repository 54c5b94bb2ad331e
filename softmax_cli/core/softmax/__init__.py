"""softmax, log-softmax, logsumexp and their Jacobians."""
