"""A gradient file beside PyTorch's own gradient: LOGITS LABELS GRADIENTS."""

import sys
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

logits, labels, gradients = (torch.from_numpy(np.load(path)) for path in sys.argv[1:4])
logits.requires_grad_()
loss: Any = cross_entropy(logits, labels)
loss.backward()
assert logits.grad is not None
print(torch.allclose(gradients, logits.grad, rtol=1e-3, atol=1e-9))
