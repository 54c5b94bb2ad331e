"""Cross-entropy of NPY files with PyTorch: LOGITS LABELS [LOSSES]."""

import sys

import numpy as np
import torch
from torch.nn.functional import cross_entropy

logits, labels = (torch.from_numpy(np.load(path)) for path in sys.argv[1:3])
if len(sys.argv) == 3:
    print(cross_entropy(logits, labels).item())
else:
    losses = cross_entropy(logits, labels, reduction="none")
    np.save(sys.argv[3], losses.numpy())
    print(losses.mean().item())
